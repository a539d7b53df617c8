//! Generated weights: the same bits as `recipe.py` makes, whose notes say why they are like this.
//!
//! Shared by the tests and benches of several packages through `#[path]`.

const HALF: i64 = 1 << 23;
const GAIN: f64 = 2.0;

/// The values of the tensor of this name and shape.
pub(crate) fn tensor(name: &str, shape: &[usize]) -> Vec<f32> {
    let count: usize = shape.iter().product();
    let levels = levels(name, count);
    if name.starts_with("lin") {
        return levels.map(|level| ((level + HALF) as f64 / (4 * HALF) as f64) as f32).collect();
    }
    if shape.len() > 1 {
        let inputs = if is_token(name) { 1 } else { count / shape[0] };
        let scale = (3.0 * GAIN / inputs as f64).sqrt() / HALF as f64;
        return levels.map(|level| (level as f64 * scale) as f32).collect();
    }
    let centre = f64::from(u8::from(is_scale(name)));
    levels.map(|level| (centre + level as f64 * (0.25 / HALF as f64)) as f32).collect()
}

/// Whether values multiply: those of norms and layer scales, and variances.
fn is_scale(name: &str) -> bool {
    let of_norm = ["bn.", "norm", "ln_"].iter().any(|part| name.contains(part));
    let ends = |ends: &[&str]| ends.iter().any(|end| name.ends_with(end));
    of_norm && ends(&["weight"]) || ends(&[".running_var", ".lambda1", ".gamma"])
}

/// Whether values are added to activations, or stand in their place: they are as large.
fn is_token(name: &str) -> bool {
    let parts = [
        "position_embedding",
        "positional_embedding",
        "pos_embed",
        "cls_token",
        "class_embedding",
        "register_tokens",
        "token_embedding",
        "probe",
    ];
    parts.iter().any(|part| name.contains(part))
}

fn levels(name: &str, count: usize) -> impl Iterator<Item = i64> {
    let seed = name.bytes().fold(0xCBF2_9CE4_8422_2325, |seed: u64, byte| {
        (seed ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3)
    });
    (1..=count as u64).map(move |index| {
        let mut z = seed.wrapping_add(index.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 40) as i64 - HALF
    })
}
