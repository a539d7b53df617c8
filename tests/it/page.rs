//! `prismbench table --format html`, in a browser.
#![expect(clippy::float_cmp, reason = "counts of elements and sides of pictures are whole")]
#![expect(
    clippy::too_many_lines,
    reason = "a page is walked through as a reader does, and a browser takes a second to start"
)]

mod browser;
mod readers;

use std::fs;
use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::program::{png, prismbench, records, run_in, three_classes};
use browser::{Browser, DOWN, ENTER, SPACE, TAB};

const RUN: [&str; 12] = [
    "--data",
    "synthetic:3:9",
    "-t",
    "identity",
    "-t",
    "jpeg:75",
    "-t",
    "jpeg:25",
    "-t",
    "resample:f16",
    "--save",
    "reconstructions",
];

/// The page of `folder/run`.
fn page_of(folder: &Path, more: &[&str]) -> PathBuf {
    let (run, out) = (folder.join("run"), folder.join("page.html"));
    let mut arguments =
        vec!["table", run.to_str().unwrap(), "--format", "html", "--out", out.to_str().unwrap()];
    arguments.extend(more);
    prismbench(&arguments).expect(Exit::Done);
    out
}

/// The rows of the first table that are shown, from top to bottom.
fn rows(browser: &Browser) -> Vec<String> {
    browser.texts(
        "return [...document.querySelectorAll('#board-0-table tbody tr:not([hidden])')]
            .map((row) => row.cells[0].textContent.trim())",
    )
}

fn sorted(browser: &Browser, metric: &str) -> String {
    browser.text(&format!("return document.querySelector('th[data-metric={metric}]').ariaSort"))
}

fn chart(browser: &Browser) -> String {
    browser.text("return document.querySelector('.explorer svg').getAttribute('aria-label')")
}

#[test]
fn a_page_sorts_filters_and_draws() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &RUN).expect(Exit::Done);
    browser.open(&page_of(folder.path(), &[]));
    let ranked = ["identity", "jpeg:75", "jpeg:25", "resample:f16"];
    assert_eq!(rows(&browser), ranked);

    // A column sorts both ways; what has no value stays below.
    assert_eq!(sorted(&browser, "psnr"), "descending");
    browser.click("th[data-metric=psnr] button");
    assert_eq!(
        (sorted(&browser, "psnr").as_str(), rows(&browser)[0].as_str()),
        ("ascending", "resample:f16")
    );
    browser.click("th[data-metric=bpp] button");
    let by_bits = rows(&browser);
    assert_eq!(&by_bits[..2], ["jpeg:25", "jpeg:75"], "the best first");
    assert_eq!(
        (sorted(&browser, "psnr").as_str(), sorted(&browser, "bpp").as_str()),
        ("", "ascending")
    );
    browser.click("th[data-metric=bpp] button");
    assert_eq!(rows(&browser)[..2], ["jpeg:75", "jpeg:25"]);
    let told = browser.text("return document.getElementById('status').textContent");
    assert!(told.starts_with("Sorted by bpp"), "{told}");

    // The filter hides rows, pictures and points.
    browser.click("#filter");
    browser.press(&["j", "p", "e", "g"]);
    browser.wait_for(
        "return document.getElementById('status').textContent === '2 of 4 rows are shown'",
    );
    assert_eq!(rows(&browser), ["jpeg:75", "jpeg:25"]);
    let points =
        "return document.querySelectorAll('#tradeoff .marks :is(circle, path.best)').length";
    assert_eq!(browser.number(points), 2.0);
    browser.eval("const box = document.getElementById('filter'); box.value = ''; box.dispatchEvent(new Event('input'))");
    browser.wait_for(
        "return document.getElementById('status').textContent === '4 of 4 rows are shown'",
    );

    // A metric goes and comes back.
    let ssim = "return document.querySelector('th[data-metric=ssim]').checkVisibility()";
    assert!(browser.holds(ssim));
    browser.click("fieldset label:nth-of-type(2) input");
    assert!(!browser.holds(ssim));
    browser.click("fieldset label:nth-of-type(2) input");
    assert!(browser.holds(ssim));

    // Another metric, and another kind of plot.
    let before = chart(&browser);
    assert!(before.starts_with("Histogram of psnr. jpeg:75: median "), "{before}");
    browser.click(".explorer .choice:nth-of-type(2) option[value='1']");
    assert!(chart(&browser).starts_with("Histogram of ssim"), "{}", chart(&browser));
    browser.click(".explorer .choice:nth-of-type(1) option[value=metrics]");
    assert_eq!(browser.number("return document.querySelectorAll('.explorer circle').length"), 9.0);
    browser.click(".explorer .choice:nth-of-type(1) option[value=tokenizers]");
    let told = chart(&browser);
    assert!(told.contains("identity is better on 9, jpeg:75 on 0, equal on 0."), "{told}");

    // The front of the trade-offs, by presets and by axes.
    let front =
        || browser.text("return document.querySelector('#tradeoff figcaption').textContent");
    assert!(
        front().starts_with("psnr against bpp, 2 tokenizers. On the front: jpeg:25, jpeg:75."),
        "{}",
        front()
    );
    browser.click("#tradeoff .choice:nth-of-type(1) option[value='1']");
    assert!(front().starts_with("ssim against bpp"), "{}", front());

    // Pictures are there and are what they should be.
    let loaded = "return [...document.querySelectorAll('.sheet[open] img')].every((image) => image.complete && image.naturalWidth === 256)";
    browser.wait_for(loaded);
    assert_eq!(browser.complaints(), [""; 0]);
    let requests = browser.requests();
    let outside = |url: &&String| !url.starts_with("file:///") && !url.starts_with("data:");
    assert!(requests.len() > 3, "{requests:?}");
    assert_eq!(requests.iter().filter(outside).collect::<Vec<_>>(), Vec::<&String>::new());
}

/// What a question of the plot draws: the words of each mark, and where it is, in pixels from the upper left.
fn asked(browser: &Browser, question: &str) -> Vec<(String, [f64; 2])> {
    browser.eval(&format!(
        "[...document.querySelectorAll('#tradeoff .questions button')]
            .find((button) => button.textContent === {question:?}).click()"
    ));
    let marks = browser.texts(
        r"return [...document.querySelectorAll('#tradeoff .marks :is(circle, path.best)')].map((mark) => {
            const at = mark.tagName === 'circle' ? ['cx', 'cy'].map((name) => Number(mark.getAttribute(name)))
                : mark.getAttribute('d').match(/-?[\d.]+/g).slice(0, 2).map(Number);
            if (mark.tagName !== 'circle') at[1] += 6.5;
            return `${mark.querySelector('title').textContent}|${at[0]}|${at[1]}`;
        })",
    );
    let parts = |mark: &String| {
        let mut parts = mark.rsplit('|');
        let [y, x] = [0, 1].map(|_| parts.next().unwrap().parse::<f64>().unwrap());
        (parts.next().unwrap().to_owned(), [x, y])
    };
    marks.iter().map(parts).collect()
}

/// The value of a metric by tokenizer.
fn values(run: &Path, metric: &str) -> Vec<(String, f64)> {
    let records = records(run);
    let of = records.iter().filter(|record| record["metric"] == metric);
    let of = of.filter_map(|record| {
        Some((record["tokenizer"].as_str()?.to_owned(), record["value"].as_f64()?))
    });
    of.collect()
}

/// Marks stand at the values of both runs, larger ones further to the right and further up, in proportion.
fn stand_at(marks: &[(String, [f64; 2])], across: &[(String, f64)], up: &[(String, f64)]) {
    let value = |all: &[(String, f64)], mark: &str| {
        let name = mark.split([' ', ':']).collect::<Vec<_>>();
        let of = |tokenizer: &str| {
            let words = tokenizer.split(':').collect::<Vec<_>>();
            name.starts_with(&words)
        };
        all.iter().find(|(tokenizer, _)| of(tokenizer)).unwrap_or_else(|| panic!("{mark}")).1
    };
    let points: Vec<[[f64; 2]; 2]> =
        marks.iter().map(|(mark, at)| [*at, [value(across, mark), value(up, mark)]]).collect();
    for axis in [0, 1] {
        let by_value = |a: &&[[f64; 2]; 2], b: &&[[f64; 2]; 2]| a[1][axis].total_cmp(&b[1][axis]);
        let least = points.iter().min_by(by_value).unwrap();
        let most = points.iter().max_by(by_value).unwrap();
        let (pixels, range) = (most[0][axis] - least[0][axis], most[1][axis] - least[1][axis]);
        let direction = if axis == 0 { 1.0 } else { -1.0 };
        assert!(range > 0.0 && pixels * direction > 100.0, "{axis}: {marks:?}");
        for point in &points {
            let share = (point[1][axis] - least[1][axis]) / range;
            let off = point[0][axis] - least[0][axis] - share * pixels;
            assert!(off.abs() < 0.51, "{axis}: {off} pixels of {marks:?}");
        }
    }
}

#[test]
fn tokenizers_are_plotted_by_the_numbers_of_several_suites_and_runs() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    three_classes(folder.path());
    let (train, test) = (path("train"), path("test"));
    let both = format!("train={train},test={test}");
    let tokenizers =
        "-t pca:f8:2 -t pca:f8:4 -t pca:f8:16 -t dct:4 -t resample:f8 --set size=64 --fit";
    let tokenizers: Vec<&str> = tokenizers.split(' ').chain([train.as_str()]).collect();
    let run = |name: &str, what: &str, data: &str| {
        let what: Vec<&str> = what.split(' ').collect();
        run_in(&folder.path().join(name), &[&what[..], &["--data", data], &tokenizers].concat())
            .expect(Exit::Done);
        folder.path().join(name).join("run")
    };
    let pixels = run("pixels", "-m psnr", "synthetic:3:8");
    let costs = run("costs", "-s throughput -m encoder-macs -m decoder-macs", "synthetic:3:8");
    let probes = run("probes", "-s probing -m top1 --set probe=probe/ridge", &both);
    let page = folder.path().join("page.html");
    let mut table = vec!["table"];
    let runs = [&pixels, &costs, &probes].map(|run| run.to_str().unwrap());
    table.extend(runs);
    table.extend(["--format", "html", "--out", page.to_str().unwrap()]);
    prismbench(&table).expect(Exit::Done);
    browser.open(&page);
    let psnr = values(&pixels, "psnr@1");
    let top1 = values(&probes, "top1@1");
    // What is not counted has no point; the others are joined across runs by tokenizer and weights.
    let macs = values(&costs, "encoder-macs@1");
    assert_eq!((macs.len(), psnr.len(), top1.len()), (3, 5, 5));
    let marks = asked(&browser, "PSNR against GMACs");
    assert_eq!(marks.len(), 3, "{marks:?}");
    assert!(marks.iter().all(|(mark, _)| mark.starts_with("pca:f8:")), "{marks:?}");
    stand_at(&marks, &macs, &psnr);
    let told = |text: &str| {
        let caption =
            browser.text("return document.querySelector('#tradeoff figcaption').textContent");
        assert!(caption.starts_with(text), "{caption}");
    };
    told("psnr against encoder-macs, 3 tokenizers. On the front: pca:f8:2");
    let marks = asked(&browser, "Probe accuracy against PSNR");
    assert_eq!(marks.len(), 5, "{marks:?}");
    stand_at(&marks, &psnr, &top1);
    told("top1 against psnr, 5 tokenizers.");
    // The table beside the plot has the same values as text.
    let cells = browser.texts(
        "return [...document.querySelectorAll('#tradeoff table.values tbody tr')]
            .map((row) => [...row.cells].map((cell) => cell.textContent.trim()).join('|'))",
    );
    assert_eq!(cells.len(), 5, "{cells:?}");
    for (tokenizer, value) in &psnr {
        let row = cells
            .iter()
            .find(|row| row.starts_with(&format!("{tokenizer}|")))
            .or_else(|| cells.iter().find(|row| row.starts_with(&format!("{tokenizer} "))));
        let row = row.unwrap_or_else(|| panic!("{tokenizer} in {cells:?}"));
        assert!(row.contains(&format!("|{value:.2}|")), "{value} in {row}");
    }
    // Without weights there is no rFID, and no button for it.
    let buttons = browser.texts(
        "return [...document.querySelectorAll('#tradeoff .questions button')].map((button) => button.textContent)",
    );
    assert_eq!(buttons, ["PSNR against GMACs", "Probe accuracy against PSNR"]);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn published_numbers_are_triangles_in_the_plot_and_on_no_front() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("page.html");
    let arguments = ["table", "--published=arXiv:2512.19693", "--format", "html", "--out"];
    prismbench(&[&arguments[..], &[out.to_str().unwrap()]].concat()).expect(Exit::Done);
    browser.open(&out);
    let count = |what: &str| {
        browser
            .number(&format!("return document.querySelectorAll('#tradeoff .marks {what}').length"))
    };
    assert!(count("path.cited") > 1.0);
    assert_eq!((count("circle"), count("path.best"), count("polyline.front")), (0.0, 0.0, 0.0));
    let told = browser.text("return document.querySelector('#tradeoff figcaption').textContent");
    assert!(told.contains("published points. No front: nothing here was measured."), "{told}");
    let title = browser.text("return document.querySelector('#tradeoff .cited title').textContent");
    assert!(title.starts_with("† ") && title.contains("(published · "), "{title}");
    assert_eq!(browser.complaints(), [""; 0]);
}

/// Presses Tab until what has the focus is this, at most 80 times.
fn tab_to(browser: &Browser, selector: &str) {
    let is_there = format!("return document.activeElement.matches({selector:?})");
    for _ in 0..80 {
        browser.press(&[TAB]);
        if browser.holds(&is_there) {
            return;
        }
    }
    panic!("Tab never comes to {selector}");
}

#[test]
fn a_page_works_by_keyboard_alone_and_says_what_everything_is() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &RUN).expect(Exit::Done);
    browser.open(&page_of(folder.path(), &[]));
    browser.press(&[TAB]);
    assert_eq!(browser.text("return document.activeElement.textContent"), "Skip to the tables");
    tab_to(&browser, "#filter");
    browser.press(&["1", "6"]);
    browser.wait_for(
        "return document.getElementById('status').textContent === '1 of 4 rows are shown'",
    );
    browser.press(&["\u{e003}", "\u{e003}"]);
    browser.wait_for(
        "return document.getElementById('status').textContent === '4 of 4 rows are shown'",
    );
    tab_to(&browser, "fieldset label:nth-of-type(2) input");
    browser.press(&[SPACE]);
    assert!(
        browser.holds("return !document.querySelector('th[data-metric=ssim]').checkVisibility()")
    );
    // The table's region takes the focus, so that arrows scroll it.
    tab_to(&browser, ".scroll[role=region]");
    tab_to(&browser, "th[data-metric=fd-random] button");
    browser.press(&[ENTER]);
    assert_eq!(sorted(&browser, "fd-random"), "ascending");
    browser.press(&[SPACE]);
    assert_eq!(sorted(&browser, "fd-random"), "descending");
    assert_eq!(rows(&browser)[0], "resample:f16");
    assert!(
        browser.holds("return getComputedStyle(document.activeElement).outlineStyle === 'solid'")
    );
    tab_to(&browser, ".explorer select");
    let before = chart(&browser);
    browser.press(&[DOWN]);
    browser.wait_for("return document.querySelectorAll('.explorer circle').length === 9");
    assert_ne!(chart(&browser), before);
    tab_to(&browser, ".sheet:nth-of-type(n+2) summary");
    browser.press(&[ENTER]);
    assert!(browser.holds("return document.activeElement.parentElement.open"));

    // What a screen reader is told.
    for selector in
        ["main", "header", "body > footer", "[role=search]", "[role=status][aria-live=polite]"]
    {
        assert_eq!(
            browser.number(&format!("return document.querySelectorAll({selector:?}).length")),
            1.0,
            "{selector}"
        );
    }
    for unnamed in [
        "th:not([scope])",
        "img:not([alt])",
        "svg:not([aria-label])",
        ".scroll:not([role=region]), .scroll:not([tabindex])",
        "table.values:not(:has(caption))",
    ] {
        assert_eq!(
            browser.number(&format!("return document.querySelectorAll({unnamed:?}).length")),
            0.0,
            "{unnamed}"
        );
    }
    assert!(browser.holds(
        "return [...document.querySelectorAll('input, select')].every((control) => control.labels.length === 1)"
    ));
    assert_eq!(browser.complaints(), [""; 0]);
}

/// The least contrast of text on its ground among these, as WCAG 2.2 defines it.
const CONTRAST: &str = r"
    const channels = (colour) => colour.match(/[\d.]+/g).slice(0, 3).map(Number);
    const light = (colour) => {
        const [r, g, b] = channels(colour).map((level) => level / 255)
            .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4));
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const ground = (element) => {
        for (let at = element; at !== null; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (!/^rgba.*, 0\)$/.test(colour)) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const all = [...document.querySelectorAll('h1, h2, p, td, th, th button, .best, .interval, .unit, summary, figcaption, a')]
        .filter((element) => element.checkVisibility() && element.textContent.trim() !== '');
    return Math.min(...all.map((element) => {
        const [a, b] = [light(getComputedStyle(element).color), light(ground(element))].sort((a, b) => b - a);
        return (a + 0.05) / (b + 0.05);
    }));
";

#[test]
fn a_page_fits_a_phone_and_has_contrast_in_light_and_dark() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut run = RUN.to_vec();
    // Two tables, and a name that is longer than any phone is wide.
    let long = format!("exec:{}", "no-spaces-in-this-command".repeat(6));
    run.extend(["-p", "default", "-p", "rae"]);
    run_in(folder.path(), &run).expect(Exit::Done);
    let records = folder.path().join("run/records.jsonl");
    let renamed = fs::read_to_string(&records).unwrap().replace("resample:f16", &long);
    fs::write(&records, renamed).unwrap();
    let page = page_of(folder.path(), &["--published"]);
    browser.set_scheme("light");
    browser.open(&page);
    let ground = "return getComputedStyle(document.body).backgroundColor";
    let (light, contrast) = (browser.text(ground), browser.number(CONTRAST));
    assert!(contrast >= 4.5, "light: {contrast}");
    browser.set_scheme("dark");
    assert_ne!(browser.text(ground), light);
    let contrast = browser.number(CONTRAST);
    assert!(contrast >= 4.5, "dark: {contrast}");
    for width in [360, 320] {
        browser.set_width(width);
        browser.open(&page);
        browser.eval(
            "for (const details of document.querySelectorAll('details')) details.open = true",
        );
        let wide = browser.number("return document.documentElement.scrollWidth");
        assert!(wide <= f64::from(width), "{wide} at {width}: {:?}", browser.texts(WIDER));
    }
    // The table scrolls within itself, and its first column stays.
    let moved = browser.number(
        "const region = document.querySelector('.scroll'); region.scrollLeft = 200;
         const head = region.querySelector('tbody th');
         return head.getBoundingClientRect().left - region.getBoundingClientRect().left",
    );
    assert!(moved.abs() < 2.0, "{moved}");
    assert!(browser.holds("return document.querySelector('.scroll').scrollLeft === 200"));
    assert_eq!(browser.complaints(), [""; 0]);
}

/// What is wider than the page, for the message.
const WIDER: &str = "return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > innerWidth + 1 && element.closest('.scroll') === null)
    .map((element) => `${element.tagName}.${element.className}`)";

#[test]
fn names_with_markup_are_shown_and_nothing_of_them_runs() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let hostile = "<script>document.title='bad'</script>.png";
    for name in [hostile, "<img src=x onerror=document.title='bad'>.png", "--><b>.png", "plain.png"]
    {
        png(&folder.path().join("data").join(name), 64, 64);
    }
    let data = folder.path().join("data");
    let arguments = [
        "--data",
        data.to_str().unwrap(),
        "-t",
        "jpeg:75",
        "-t",
        "jpeg:25",
        "--set",
        "size=64",
        "--save",
        "reconstructions",
    ];
    run_in(folder.path(), &arguments).expect(Exit::Done);
    // No tokenizer may be called so; a file of records may say what it likes.
    let records = folder.path().join("run/records.jsonl");
    let renamed = fs::read_to_string(&records)
        .unwrap()
        .replace("jpeg:25", "</script><img src=x onerror=document.title='bad'>");
    fs::write(&records, renamed).unwrap();
    browser.open(&page_of(folder.path(), &[]));
    assert_eq!(rows(&browser)[1], "</script><img src=x onerror=document.title='bad'>");
    let shown = browser
        .texts("return [...document.querySelectorAll('.sheet .id')].map((id) => id.textContent)");
    assert!(shown.iter().any(|id| id == hostile), "{shown:?}");
    browser.click(".explorer .choice:nth-of-type(1) option[value=metrics]");
    let titles = browser.texts("return [...document.querySelectorAll('.explorer circle title')].map((title) => title.textContent)");
    assert!(titles.iter().any(|title| title.starts_with(hostile)), "{titles:?}");
    assert!(browser.text("return document.title").ends_with(" · prismbench"));
    assert_eq!(browser.number("return document.querySelectorAll('script').length"), 2.0);
    assert_eq!(
        browser.number(
            "return document.querySelectorAll('img:not([src^=\"data:image/png\"])').length"
        ),
        0.0
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn pictures_are_those_of_the_metric_that_was_asked_for_and_missing_ones_name_the_remedy() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &RUN).expect(Exit::Done);
    let page =
        fs::read_to_string(page_of(folder.path(), &["--pictures", "1", "--pictures-by", "ssim"]))
            .unwrap();
    assert_eq!(page.matches("<h4>Worst by ssim</h4>").count(), 4);
    // Three samples of four tokenizers, three pictures each.
    assert_eq!(page.matches("<img src=\"data:image/png;base64,").count(), 36);
    fs::remove_file(folder.path().join("page.html")).unwrap();
    let plain = fs::read_to_string(page_of(folder.path(), &["--pictures", "0"])).unwrap();
    assert!(!plain.contains("<img ") && !plain.contains("Sample pictures</h3>"));
    let other = tempfile::tempdir().unwrap();
    run_in(other.path(), &RUN[..10]).expect(Exit::Done);
    let page = fs::read_to_string(page_of(other.path(), &[])).unwrap();
    assert!(page.contains("No pictures of identity, jpeg:75, jpeg:25, resample:f16: this run kept no reconstructions; `prismbench run` with `--save reconstructions` keeps them."), "{page}");
}

#[test]
fn mistakes_over_a_page_are_named_and_leave_no_file() {
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &RUN).expect(Exit::Done);
    let run = folder.path().join("run");
    let table = |more: &[&str], exit: Exit| {
        let mut arguments = vec!["table", run.to_str().unwrap()];
        arguments.extend(more);
        prismbench(&arguments).expect(exit).err_without(folder.path())
    };
    let unknown = table(&["--format", "html", "--pictures-by", "ssmi"], Exit::Usage);
    insta::assert_snapshot!(unknown, @r"
    error: there is no metric of single images called `ssmi`
      hint: did you mean `ssim`?
    ");
    insta::assert_snapshot!(table(&["--pictures", "2"], Exit::Usage), @"error: `--pictures` is for `--format html`");
    insta::assert_snapshot!(
        table(&["--format", "html", "--history", "psnr"], Exit::Usage),
        @"error: a history is not written as html; --format svg draws it, markdown and latex tabulate it"
    );
    // A place that cannot be written to.
    let file = folder.path().join("file");
    fs::write(&file, "precious").unwrap();
    let inside = file.join("page.html");
    let refused = table(&["--format", "html", "--out", inside.to_str().unwrap()], Exit::Missing);
    assert!(refused.starts_with("error: cannot write `DIR/file/page.html`"), "{refused}");
    let kept = table(&["--format", "html", "--out", file.to_str().unwrap()], Exit::Usage);
    assert!(kept.contains("exists already and is kept"), "{kept}");
    assert_eq!(fs::read(&file).unwrap(), b"precious");
    // Pictures that were cut short.
    let arrays = run.join("arrays/synthetic-3-9.default.jpeg-75/reconstructions.npz");
    let bytes = fs::read(&arrays).unwrap();
    fs::write(&arrays, &bytes[..bytes.len() / 2]).unwrap();
    let out = folder.path().join("cut.html");
    let cut = table(&["--format", "html", "--out", out.to_str().unwrap()], Exit::Usage);
    assert!(
        cut.contains("show the reconstructions of `jpeg:75`")
            && cut.contains("reconstructions.npz"),
        "{cut}"
    );
    assert!(!out.exists());
}
