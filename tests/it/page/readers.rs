//! The page as a screen reader tells it, and on paper.

use crate::page::browser::Browser;
use crate::page::{RUN, page_of, sorted};
use crate::program::run_in;
use prismbench::Exit;

/// Roles of what one can do something with, or has to know the content of, without seeing it.
const NAMED: [&str; 13] = [
    "button",
    "checkbox",
    "columnheader",
    "combobox",
    "image",
    "link",
    "navigation",
    "region",
    "rowheader",
    "search",
    "searchbox",
    "table",
    "DisclosureTriangle",
];

#[test]
fn everything_that_a_screen_reader_is_told_of_has_a_name() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = [&RUN[..], &["-p", "default", "-p", "rae"]].concat();
    run_in(folder.path(), &run).expect(Exit::Done);
    browser.open(&page_of(folder.path(), &["--published"]));
    browser.eval("for (const details of document.querySelectorAll('details')) details.open = true");
    let tree = browser.accessibility_tree();
    let count = |wanted: &str| tree.iter().filter(|(role, _)| role == wanted).count();
    for role in [
        "button",
        "checkbox",
        "columnheader",
        "combobox",
        "image",
        "rowheader",
        "searchbox",
        "table",
    ] {
        assert!(count(role) > 0, "no {role}: {tree:?}");
    }
    let nameless: Vec<&(String, String)> = tree
        .iter()
        .filter(|(role, name)| NAMED.contains(&role.as_str()) && name.is_empty())
        .collect();
    assert!(nameless.is_empty(), "{nameless:?}");
    // Tables are told by their captions; those of two boards are told apart in a list of them.
    let captions = "return document.querySelectorAll('table > caption').length";
    assert_eq!(browser.number(captions) as usize, count("table"));
    let own = "return [...document.querySelectorAll('table[id] > caption')]
        .map((caption) => caption.textContent)";
    let mut own = browser.texts(own);
    let all = own.len();
    assert!(all >= 4, "{own:?}");
    own.sort();
    own.dedup();
    assert_eq!(own.len(), all, "two tables of one name: {own:?}");
    for without in ["thead th:not([scope=col])", "tbody th:not([scope=row]):not([scope=rowgroup])"]
    {
        let found = format!("return document.querySelectorAll('{without}').length");
        assert_eq!(browser.number(&found), 0.0, "{without}");
    }
}

#[test]
fn the_sorted_column_is_announced_and_no_other() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    run_in(folder.path(), &RUN).expect(Exit::Done);
    browser.open(&page_of(folder.path(), &[]));
    let announced = "return document.querySelectorAll('#board-0-table th[aria-sort]').length";
    for metric in ["ssim", "bpp", "psnr"] {
        browser.click(&format!("th[data-metric={metric}] button"));
        assert_eq!(browser.number(announced), 1.0, "{metric}");
        assert!(["ascending", "descending"].contains(&sorted(&browser, metric).as_str()));
        let told = browser.text("return document.querySelector('[role=status]').textContent");
        assert!(told.starts_with(&format!("Sorted by {metric}")), "{told}");
    }
}

#[test]
fn a_printed_page_has_no_controls_and_no_table_that_is_cut() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let run = [&RUN[..], &["-p", "default", "-p", "rae"]].concat();
    run_in(folder.path(), &run).expect(Exit::Done);
    browser.open(&page_of(folder.path(), &["--published"]));
    browser.print();
    // A4 across without its margins, in CSS pixels of 1/96 inch.
    browser.set_width(1032);
    for hidden in ["#controls", ".choices", ".questions", "nav", ".skip"] {
        let shown = format!(
            "return [...document.querySelectorAll('{hidden}')].some((element) => element.checkVisibility())"
        );
        assert!(!browser.holds(&shown), "{hidden}");
    }
    let wide = browser.number("return document.documentElement.scrollWidth");
    assert!(wide <= 1032.0, "{wide}");
    let cut = "return [...document.querySelectorAll('table.values, svg')]
        .filter((element) => element.checkVisibility())
        .filter((element) => element.getBoundingClientRect().right > 1033
            || element.scrollWidth > element.clientWidth + 1)
        .map((element) => `${element.tagName} ${element.id} ${element.scrollWidth} of ${element.clientWidth}`)";
    let cut = browser.texts(cut);
    assert!(cut.is_empty(), "wider than the paper: {cut:?}");
    let stays = "return [...document.querySelectorAll('th')]
        .some((head) => getComputedStyle(head).position === 'sticky')";
    assert!(!browser.holds(stays), "a head that stays would cover others");
    // Dark is for screens: paper is white and its words are dark.
    let ink = browser.text("return getComputedStyle(document.body).color");
    assert_eq!(ink, "rgb(25, 27, 31)");
    let repeated = "return getComputedStyle(document.querySelector('thead')).display";
    assert_eq!(browser.text(repeated), "table-header-group");
    let pdf = browser.pdf();
    assert!(pdf.starts_with(b"%PDF-") && pdf.len() > 10_000, "{} bytes", pdf.len());
    assert_eq!(browser.complaints(), [""; 0]);
}
