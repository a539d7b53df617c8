//! `prismbench table --format html`, in a browser.
#![expect(clippy::float_cmp, reason = "counts of elements and sides of pictures are whole")]
#![expect(
    clippy::too_many_lines,
    reason = "a page is walked through as a reader does, and a browser takes a second to start"
)]

mod browser;
mod readers;
mod trade_offs;

use std::fs;
use std::path::{Path, PathBuf};

use prismbench::Exit;

use crate::program::{png, prismbench, run_in};
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
