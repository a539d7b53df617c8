//! Headless Chromium through chromedriver: as much of W3C WebDriver as the tests need.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The keys that WebDriver writes as private letters.
pub(crate) const TAB: &str = "\u{e004}";
pub(crate) const ENTER: &str = "\u{e007}";
pub(crate) const SPACE: &str = " ";
pub(crate) const DOWN: &str = "\u{e015}";

/// One session of a browser that nothing is left of when it is dropped.
pub(crate) struct Browser {
    driver: Child,
    agent: ureq::Agent,
    session: String,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// A browser, or `None` where there is none; says so, past libtest's capture.
    pub(crate) fn start() -> Option<Self> {
        let (Some(driver), Some(chromium)) = (on_path("chromedriver"), on_path("chromium")) else {
            let line =
                "left out: the page in a browser (apt-get install chromium chromium-driver)\n";
            std::io::stderr().write_all(line.as_bytes()).unwrap();
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        // Bound to 127.0.0.1 by default; port 0 is any free one, which it prints.
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .env("TMPDIR", profile.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = loop {
            let line = lines.next().unwrap().unwrap();
            let number = line.split_once("successfully on port ").map(|(_, rest)| rest);
            if let Some(number) = number {
                break number.trim_end_matches('.').parse::<u16>().unwrap();
            }
        };
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(Duration::from_secs(120)));
        let base = format!("http://127.0.0.1:{port}/session");
        let mut browser =
            Self { driver, agent: config.build().into(), session: base, _profile: profile };
        let profile = browser._profile.path().join("profile");
        let options = json!({
            "binary": chromium,
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--window-size=1280,1000", "--no-first-run", "--disable-extensions",
                // Whatever it asked for by name would fail, and be seen.
                "--host-resolver-rules=MAP * ~NOTFOUND",
                format!("--user-data-dir={}", profile.display()),
                // The first tab would be a page of the browser's own.
                "about:blank",
            ],
        });
        let logs = json!({ "browser": "ALL", "performance": "ALL" });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": logs });
        let made = browser.post("", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let id = made["sessionId"].as_str().unwrap_or_else(|| panic!("{made}"));
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.agent.post(url).header("content-type", "application/json");
        let mut answer = request.send(body.to_string()).unwrap();
        let text = answer.body_mut().read_to_string().unwrap();
        assert!(answer.status().is_success(), "{path} {body}: {text}");
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }

    /// Opens a file; what the browser asked for before is forgotten.
    pub(crate) fn open(&self, page: &Path) {
        self.requests();
        // Names of temporary folders need no escapes.
        self.post("/url", &json!({ "url": format!("file://{}", page.display()) }));
    }

    /// The value of the body of a function.
    pub(crate) fn eval(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    pub(crate) fn text(&self, script: &str) -> String {
        self.eval(script).as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn texts(&self, script: &str) -> Vec<String> {
        let value = self.eval(script);
        let list = value.as_array().unwrap_or_else(|| panic!("{script}: {value}"));
        list.iter().map(|text| text.as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) fn number(&self, script: &str) -> f64 {
        let value = self.eval(script);
        value.as_f64().unwrap_or_else(|| panic!("{script}: {value}"))
    }

    pub(crate) fn holds(&self, script: &str) -> bool {
        self.eval(script) == json!(true)
    }

    /// Waits, at most ten seconds, until this is true.
    pub(crate) fn wait_for(&self, script: &str) {
        let start = Instant::now();
        while !self.holds(script) {
            assert!(start.elapsed() < Duration::from_secs(10), "never true: {script}");
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Presses keys one after the other, wherever the focus is.
    pub(crate) fn press(&self, keys: &[&str]) {
        let each = keys.iter().flat_map(|key| {
            [json!({ "type": "keyDown", "value": key }), json!({ "type": "keyUp", "value": key })]
        });
        let actions: Vec<Value> = each.collect();
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": actions });
        self.post("/actions", &json!({ "actions": [keyboard] }));
    }

    /// Clicks the first element of a selector with the mouse.
    pub(crate) fn click(&self, selector: &str) {
        let found = self.post("/element", &json!({ "using": "css selector", "value": selector }));
        let id = found.as_object().and_then(|object| object.values().next()).unwrap().as_str();
        self.post(&format!("/element/{}/click", id.unwrap()), &json!({}));
    }

    fn devtools(&self, command: &str, parameters: &Value) -> Value {
        self.post("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// What a screen reader is given: role and name of every element that it is told of.
    pub(crate) fn accessibility_tree(&self) -> Vec<(String, String)> {
        self.devtools("Accessibility.enable", &json!({}));
        let mut tree = self.devtools("Accessibility.getFullAXTree", &json!({}));
        let nodes = tree["nodes"].take();
        let told = nodes.as_array().unwrap().iter().filter(|node| node["ignored"] == json!(false));
        let text = |value: &Value| value["value"].as_str().unwrap_or_default().trim().to_owned();
        told.map(|node| (text(&node["role"]), text(&node["name"]))).collect()
    }

    /// Shows the page as it is printed.
    pub(crate) fn print(&self) {
        // On a machine whose screen is dark.
        let features = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
        let paper = json!({ "media": "print", "features": features });
        self.devtools("Emulation.setEmulatedMedia", &paper);
    }

    /// The page as a PDF, on paper of the size that its style asks for.
    pub(crate) fn pdf(&self) -> Vec<u8> {
        let wanted = json!({ "preferCSSPageSize": true, "printBackground": false });
        let made = self.devtools("Page.printToPDF", &wanted);
        STANDARD.decode(made["data"].as_str().unwrap()).unwrap()
    }

    pub(crate) fn set_width(&self, width: u32) {
        let metrics =
            json!({ "width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.devtools("Emulation.setDeviceMetricsOverride", &metrics);
    }

    pub(crate) fn set_scheme(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features }));
    }

    /// What the console holds of errors and warnings; each is given once.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().unwrap().iter();
        let bad = entries
            .filter(|entry| ["SEVERE", "WARNING"].contains(&entry["level"].as_str().unwrap()));
        bad.map(|entry| entry["message"].as_str().unwrap().to_owned()).collect()
    }

    /// The addresses of everything that the browser asked for; each is given once.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "performance" }));
        let messages = log.as_array().unwrap().iter().map(|entry| {
            let text = entry["message"].as_str().unwrap();
            serde_json::from_str::<Value>(text).unwrap()["message"].take()
        });
        let sent = messages.filter(|message| message["method"] == "Network.requestWillBeSent");
        sent.map(|message| message["params"]["request"]["url"].as_str().unwrap().to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; the driver does not do so when it is killed.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}
