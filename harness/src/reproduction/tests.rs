use prismbench_baselines::{GeneratorRef, TokenizerRef};
use prismbench_core::{Protocol, Sampling};
use prismbench_suites::suites;

use super::*;

#[test]
fn embedded_plans_name_known_tokenizers_protocols_metrics_and_published_rows() {
    let rows = published().unwrap();
    for plan in ReproductionPlan::embedded().unwrap() {
        for part in &plan.parts {
            let suite = suites().into_iter().find(|suite| suite.id() == part.suite).unwrap();
            let mut protocol = Protocol::preset(&part.protocol).unwrap();
            for (field, value) in &part.set {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                protocol = protocol.with(field, &text).unwrap();
            }
            if let Some(drawn) = &part.drawn {
                drawn.decoder.parse::<TokenizerRef>().unwrap();
                drawn.sampling.as_deref().unwrap().parse::<Sampling>().unwrap();
                drawn.guide.iter().for_each(|guide| drop(guide.parse::<GeneratorRef>().unwrap()));
            }
            let subjects = part.numbers.iter().filter(|number| !number.subjects.is_empty()).count();
            let without = ["2601.15369v2 Table 3", "2601.15369v2 Table 6", "2512.19693v5 Table 4a"];
            let is_without = without.iter().any(|table| part.title.contains(table));
            assert!(subjects > 0 || is_without, "{}", part.title);
            for Number { target, subjects } in &part.numbers {
                // Counts are published under no suite and metric of this build.
                let is_it = |row: &&PublishedRow| match target.key.as_str() {
                    "" => row.suite == "efficiency" && target.source.starts_with(&row.source),
                    key => row.key == key,
                };
                let same = |row: &PublishedRow| (row.value - target.value).abs() < 1e-15;
                assert!(rows.iter().filter(is_it).any(same), "{target:?}");
                assert!(!target.tolerance.from.is_empty());
                for subject in subjects {
                    match &part.drawn {
                        Some(_) => drop(subject.parse::<GeneratorRef>().unwrap()),
                        None => drop(subject.parse::<TokenizerRef>().unwrap()),
                    }
                    let known = suite.metrics().iter().any(|metric| metric.id == target.metric);
                    assert!(known, "{} of {subject}", target.metric);
                }
            }
        }
    }
}

#[test]
fn of_several_settings_a_number_takes_the_record_of_its_own() {
    use super::measured::record_of;
    let row = &published().unwrap()[0];
    let target = |setting: &str| Target {
        key: String::new(),
        tokenizer: "ours".to_owned(),
        metric: "top1".to_owned(),
        setting: setting.to_owned(),
        value: 0.5,
        decimals: 2,
        unit: Unit::One,
        n: None,
        tolerance: prismbench_reports::Tolerance::default(),
        source: String::new(),
    };
    let measured = |settings: &[&str]| {
        let records = settings.iter().map(|setting| prismbench_core::Record {
            metric: "top1@1".to_owned(),
            setting: (*setting).to_owned(),
            ..row.record()
        });
        Ok(records.collect())
    };
    let taken = |setting: &str, settings: &[&str]| {
        record_of(&target(setting), &measured(settings)).map(|record| record.setting)
    };
    assert_eq!(taken("k=20", &["k=10", "k=20"]).unwrap(), "k=20");
    assert_eq!(taken("k=20", &["", "k=10", "k=20"]).unwrap(), "k=20");
    assert_eq!(taken("", &["k=10", ""]).unwrap(), "");
    assert_eq!(taken("linear", &["k=10", ""]).unwrap(), "", "a word of a paper");
    assert_eq!(taken("knn", &["k=10"]).unwrap(), "k=10", "there is one alone");
    let refused = taken("knn", &["k=10", "k=20"]).unwrap_err();
    assert!(refused.contains("top1 has values at k=10, k=20"), "{refused}");
    assert_eq!(taken("", &[]).unwrap_err(), "there is no record of top1");
}

/// The reconstruction tables come whole: a row without a tokenizer here is said to have none.
#[test]
fn embedded_plans_hold_every_reconstruction_row_of_their_tables() {
    let rows = published().unwrap();
    let plans = ReproductionPlan::embedded().unwrap();
    for (plan, source) in [
        ("rae", "rae-dit.github.io project page"),
        ("uae", "arXiv 2512.19693v5 (1 Apr 2026) Table 1"),
        ("openvision3", "arXiv 2601.15369v2 (12 Mar 2026) Table 2"),
    ] {
        let plan = plans.iter().find(|known| known.name == plan).unwrap();
        let keys: Vec<&str> = plan
            .parts
            .iter()
            .flat_map(|part| &part.numbers)
            .map(|number| number.target.key.as_str())
            // Numbers of the plan's own have none.
            .filter(|key| !key.is_empty())
            .collect();
        let mut distinct = keys.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), keys.len(), "a number stands twice in {}", plan.name);
        let wanted =
            |row: &&PublishedRow| row.suite == "reconstruction" && row.source.starts_with(source);
        let missing = rows.iter().filter(wanted).find(|row| !keys.contains(&row.key.as_str()));
        assert_eq!(missing, None);
    }
}

#[test]
fn suspicions_are_changes_that_protocols_have() {
    let default = Protocol::preset("default").unwrap();
    for Suspicion { field, value, metrics, effect } in SUSPECTS {
        default.with(field, value).unwrap_or_else(|error| panic!("{error}"));
        assert!(!metrics.is_empty() && !effect.is_empty());
        assert!(metrics.iter().all(|metric| unit_of(metric).is_some()), "{metrics:?}");
    }
    assert!(UNTRIABLE.iter().flat_map(|known| known.0).all(|metric| unit_of(metric).is_some()));
}

#[test]
fn a_row_is_found_by_its_key_or_by_words_that_only_it_has() {
    let key = "arXiv:2512.19693@v5/reconstruction/imagenet-1k-256/uae-dinov2-b/psnr";
    let plan = ReproductionPlan::find(key, None).unwrap();
    assert_eq!((plan.name.as_str(), plan.parts.len(), plan.parts[0].numbers.len()), ("uae", 1, 1));
    assert_eq!(plan.parts[0].protocol, "rae");
    let other = ReproductionPlan::find(key, Some("default")).unwrap();
    assert_eq!(other.parts[0].protocol, "default");
    let same = ReproductionPlan::find("2512.19693v5 uae-dinov2-b psnr imagenet table 1;", None);
    assert_eq!(same.unwrap().parts[0].numbers[0].target.key, key);
    let error = |what: &str| ReproductionPlan::find(what, None).unwrap_err().to_string();
    assert!(error("uae-dinov2-b psnr").contains("published rows match"));
    assert!(error("openvsion3").contains("is no plan"));
    let unplanned = "hustvl/LightningDiT";
    let row = published().unwrap().into_iter().find(|row| row.paper == unplanned).unwrap();
    assert!(error(&row.key).contains("nobody knows its protocol"));
    let plan = ReproductionPlan::find(&row.key, Some("rae")).unwrap();
    assert_eq!(plan.parts[0].numbers[0].target.key, row.key);
}

fn refused(text: &str) -> String {
    ReproductionPlan::parse("ours.toml", text).unwrap_err().to_string()
}

#[test]
fn plans_that_say_nothing_sensible_are_refused() {
    let head = "format = 1\nname = 'ours'\n";
    let part = "[[part]]\nsuite = 'reconstruction'\ndataset = 'd'\nprotocol = 'rae'\n";
    let value = "[[part.value]]\ntokenizer = 'jpeg:75'\nmetric = 'psnr'\nvalue = '33.10'\n";
    let plan = ReproductionPlan::parse("ours", &[head, part, value].concat()).unwrap();
    let target = &plan.parts[0].numbers[0].target;
    assert_eq!((target.decimals, target.text().as_str()), (2, "33.10"));
    assert!(refused(&[head, part].concat()).contains("names no number"));
    assert!(refused(&[&head.replace('1', "2"), part, value].concat()).contains("format 2"));
    assert!(refused(&[head, "colour = 1\n", part, value].concat()).contains("unknown field"));
    assert!(refused(&[head, part, "rows = ['nowhere']\n", value].concat()).contains("`nowhere`"));
    let tokenizers = "[part.tokenizers]\ntaef2 = ['taef2']\n";
    assert!(
        refused(&[head, part, value, tokenizers].concat()).contains("of the tokenizer `taef2`")
    );
    for (bad, reason) in [("nan", "no value"), ("1e3", "decimals alone"), ("3,1", "no value")] {
        let text = [head, part, &value.replace("33.10", bad)].concat();
        assert!(refused(&text).contains(reason), "{bad}");
    }
    assert!(refused(&[head, part, &value.replace("psnr", "psnrr")].concat()).contains("`psnrr`"));
    let tolerance = "[tolerance.psnr]\nabsolute = -1.0\nfrom = 'x'\n";
    assert!(refused(&[head, tolerance, part, value].concat()).contains("at least 0"));
    let tolerance = "[tolerance.psnr]\nabsolute = 1.0\nfrom = ''\n";
    assert!(refused(&[head, tolerance, part, value].concat()).contains("nowhere"));
    assert!(refused("name = 'x'").contains("missing field"));
}

#[test]
fn what_is_run_for_a_name_can_be_replaced_by_weights_or_by_anything() {
    let mut plan = ReproductionPlan::find("uae", None).unwrap();
    let given = ["sdxl-vae=weights/sdxl", "unitok=recon:made"].map(str::to_owned);
    assert!(matches!(plan.replace(&given), Err(ReproductionError::NoSubject { .. })));
    let given = ["sdxl-vae=weights/sdxl", "svg+dinov3=recon:made", "sd-vae-mse=b.safetensors"];
    plan.replace(&given.map(str::to_owned)).unwrap();
    let subjects = |name: &str| {
        let number = plan.parts[0].numbers.iter().find(|n| n.target.tokenizer == name).unwrap();
        number.subjects.clone()
    };
    assert_eq!(subjects("sdxl-vae"), ["sdxl-vae=weights/sdxl"]);
    assert_eq!(subjects("svg+dinov3"), ["recon:made"]);
    assert_eq!(subjects("sd-vae")[0], "sd-vae-mse=b.safetensors");
    plan.replace(&["rae-dinov2-b=u".to_owned()]).unwrap();
    let drawn = plan.parts.iter().find_map(|part| part.drawn.as_ref()).unwrap();
    assert_eq!(drawn.decoder, "rae-dinov2-b=u", "the decoder of samples too");
}

#[test]
fn pictures_are_named_where_a_plan_has_several_sets() {
    let plan = ReproductionPlan::find("uae", None).unwrap();
    let given = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|&text| text.to_owned()).collect();
        Given::read(&texts, &plan)
    };
    assert!(matches!(given(&["val"]), Err(ReproductionError::WhichData { .. })));
    let named = given(&["imagenet-1k=train=a,test=b"]).unwrap();
    assert_eq!(named.of(&plan.parts[0]), Ok("train=a,test=b".to_owned()));
    let missing = named.of(&plan.parts[1]).unwrap_err();
    assert!(missing.contains("--data coco-2017=DATA"), "{missing}");
    let row = "arXiv:2512.19693@v5/reconstruction/imagenet-1k-256/uae-dinov2-b/psnr";
    let plan = ReproductionPlan::find(row, None).unwrap();
    let given = Given::read(&["val".to_owned()], &plan).unwrap();
    assert_eq!(given.of(&plan.parts[0]), Ok("val".to_owned()));
    // The scenes that operations are counted on come with the plan.
    let plan = ReproductionPlan::find("rae", None).unwrap();
    let given = Given::read(&["val".to_owned()], &plan).unwrap();
    assert_eq!(given.of(&plan.parts[0]), Ok("val".to_owned()));
    assert_eq!(given.of(plan.parts.last().unwrap()), Ok("synthetic:1:1".to_owned()));
}
