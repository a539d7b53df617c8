//! The plot of one number against another, whatever suites and runs they are of.

use std::path::Path;

use prismbench::Exit;

use super::browser::Browser;
use crate::program::{prismbench, records, run_in, three_classes};

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
