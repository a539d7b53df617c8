use super::*;

fn sampling(text: &str) -> Sampling {
    text.parse().unwrap()
}

#[test]
fn samplings_print_as_they_parse() {
    for text in [
        "euler:50",
        "rk4:2",
        "heun3:10000,cfg:1.5",
        "midpoint:8,autoguidance:1.42@0.1..0.9,shift:none",
        "heun2:3,shift:6.928",
    ] {
        assert_eq!(sampling(text).to_string(), text);
        let json = serde_json::to_string(&sampling(text)).unwrap();
        assert_eq!(json, format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<Sampling>(&json).unwrap(), sampling(text));
    }
    for (text, printed) in [
        ("euler:50,none,shift:dimension", "euler:50"),
        ("euler:050,cfg:1.50@0..1", "euler:50,cfg:1.5"),
        ("euler:50,cfg:100@0.000..0.5", "euler:50,cfg:100@0..0.5"),
    ] {
        assert_eq!(sampling(text).to_string(), printed);
    }
    assert_eq!(Sampling::published(Integrator::Rk4), sampling("rk4:50"));
}

#[test]
fn other_texts_are_answered_with_what_would_be_right() {
    let error = |text: &str| text.parse::<Sampling>().unwrap_err().to_string();
    for text in ["euler", "euler:1", "euler:0", "euler:10001", "euler:-2", "ddim:50", ""] {
        assert!(error(text).contains("POINTS 2 to 10000"), "{}", error(text));
    }
    assert!(error("heun:50").contains("it is heun2:POINTS"), "{}", error("heun:50"));
    assert!(error("dopri5:50").contains("euler, midpoint, heun2, heun3 and rk4"));
    for text in ["cfg", "cfg:1", "cfg:1.0", "cfg:0.5", "cfg:101", "cfg:x", "auto:2", "cfg:1.0001"] {
        let error = error(&format!("euler:50,{text}"));
        assert!(error.starts_with(&format!("`{text}` is no guidance")), "{error}");
        assert!(error.contains("SCALE above 1"), "{error}");
    }
    for interval in ["0.5", "0.5..0.5", "0.9..0.1", "0..1.1", "..1", "-1..1"] {
        assert!(error(&format!("euler:50,cfg:2@{interval}")).contains("0 <= LOW < HIGH <= 1"));
    }
    for shift in ["shift:1", "shift:0.5", "shift:x", "shift:"] {
        assert!(error(&format!("euler:50,{shift}")).contains("NUMBER above 1"), "{shift}");
    }
    for text in ["euler:50,shift:2,cfg:2", "euler:50,cfg:2,shift:2,x", "euler:50,shift:2,shift:2"] {
        assert!(error(text).contains("INTEGRATOR:POINTS[,GUIDANCE][,shift:SHIFT]"), "{text}");
    }
}

/// Times as the reference prints them, to a unit in the last place: a compiler may fuse the product
/// and the sum of `linspace`.
#[test]
fn the_grid_is_the_references() {
    let cases: [(&str, usize, [f64; 3], [f64; 3]); 3] = [
        (
            "euler:50",
            768 * 16 * 16,
            [1.0, 0.997_005_045, 0.993_901_730],
            [0.231_978_849, 0.131_505_057, 0.006_887_285],
        ),
        (
            "rk4:50",
            768 * 32 * 32,
            [1.0, 0.998_500_288, 0.996_941_566],
            [0.376_595_497, 0.232_442_722, 0.013_680_350],
        ),
        (
            "euler:5,shift:2",
            96,
            [1.0, 0.857_306_063, 0.667_110_920],
            [0.667_110_920, 0.400_959_402, 0.001_997_976],
        ),
    ];
    for (text, dimension, first, last) in cases {
        let times = sampling(text).times(dimension).unwrap();
        assert_eq!(times.len(), sampling(text).points.get() as usize);
        let found = times[..3].iter().chain(&times[times.len() - 3..]);
        for (found, expected) in found.zip(first.iter().chain(&last)) {
            assert!(
                (f64::from(*found) - expected).abs() <= 6e-8,
                "{text}: {found}, expected {expected}"
            );
        }
    }
}

#[test]
fn a_shift_keeps_the_ends_of_time_and_its_order() {
    for text in ["euler:200,shift:none", "euler:200,shift:6.928", "euler:200,shift:999"] {
        let times = sampling(text).times(1).unwrap();
        assert_eq!(times[0].to_bits(), 1.0_f32.to_bits());
        assert!(times.is_sorted_by(|a, b| a > b), "{text}");
        assert!(times[199] > 0.0);
    }
    let plain = sampling("euler:5,shift:none").times(1).unwrap();
    // 1 - 0.999 in f32, and evenly before.
    for (found, expected) in plain.iter().zip([1.0, 0.750_25, 0.500_5, 0.250_75, 0.001]) {
        assert!((found - expected).abs() < 6e-8, "{found}");
    }
}

#[test]
fn the_shift_of_the_dimension_needs_4096_numbers() {
    let sampling = sampling("euler:50");
    assert_eq!(sampling.times(4095), None);
    let one = Sampling { shift: TimeShift::None, ..sampling };
    assert_eq!(sampling.times(4096), one.times(4096));
}

#[test]
fn both_ends_of_an_interval_are_in_it() {
    let guidance: Guidance = "cfg:2@0.1..0.9".parse().unwrap();
    for (time, acts) in [(0.1, true), (0.9, true), (0.5, true), (0.099_99, false), (0.900_1, false)]
    {
        assert_eq!(guidance.acts_at(time), acts, "{time}");
    }
    assert!("cfg:2".parse::<Guidance>().unwrap().acts_at(1.0));
    assert!(!Guidance::None.acts_at(0.5));
}
