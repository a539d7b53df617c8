//! What a program says of itself before anything else.

use prismbench_core::{TokenizerSpec, Weights};
use serde::Deserialize;

use super::PROTOCOL;
use super::answer::expect;
use super::error::ExecError;
use super::frame::Frame;
use super::rule::Rule;

/// Largest stride that is believed.
const MAX_STRIDE: usize = 4096;

/// What a program is and what it can.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) spec: TokenizerSpec,
    pub(super) latent: Latent,
    /// Height and width of the only pictures that it takes, if it takes one size only.
    pub(super) size: Option<(usize, usize)>,
    pub(super) decodes: bool,
    /// Rows, columns and width of the patch tokens, if it gives any.
    pub(super) features: Option<Rule>,
    /// Whether it has a posterior to draw from.
    pub(super) stochastic: bool,
    pub(super) noise: bool,
    pub(super) band_mask: bool,
}

/// What its latents are.
#[derive(Debug)]
pub(super) enum Latent {
    Numbers(Rule),
    BitStream,
}

/// The texts of the answer; `format` is one that safetensors' own writers add.
const KEYS: [&str; 15] = [
    "message",
    "prismbench",
    "name",
    "source",
    "stride",
    "size",
    "parameters",
    "weights",
    "latent",
    "decodes",
    "features",
    "posterior",
    "noise",
    "band_mask",
    "format",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Digest {
    name: String,
    sha256: String,
}

impl Hello {
    /// Reads an answer to `hello`; `id` is what the tokenizer is called here.
    pub(super) fn read(id: &str, frame: &Frame) -> Result<Self, ExecError> {
        expect(frame, "hello", "hello")?;
        let version = frame.text("prismbench");
        if version != PROTOCOL {
            let found = format!("version `{version}`");
            return Err(wrong(
                format!("version {PROTOCOL} of the protocol in `prismbench`"),
                found,
            ));
        }
        if let Some(key) = frame.texts.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(wrong(format!("only {}", KEYS.join(", ")), format!("`{key}`")));
        }
        let text = |key: &str| match frame.text(key) {
            "" => Err(wrong(format!("a text `{key}`"), "none")),
            text => Ok(text),
        };
        let (name, source) = (text("name")?, text("source")?);
        let stride = number(frame, "stride", 1..=MAX_STRIDE as u64)? as usize;
        let hello = Self {
            spec: TokenizerSpec {
                id: id.to_owned(),
                stride,
                parameters: number(frame, "parameters", 0..=u64::MAX)?,
                weights: weights(frame)?,
                source: format!("{name}: {source}"),
            },
            latent: match text("latent")? {
                "bits" => Latent::BitStream,
                text => Latent::Numbers(rule("latent", text, 1)?),
            },
            size: size(frame)?,
            decodes: flag(frame, "decodes")?,
            features: match frame.text("features") {
                "" | "no" => None,
                text => Some(rule("features", text, 3)?),
            },
            stochastic: flag(frame, "posterior")?,
            noise: flag(frame, "noise")?,
            band_mask: flag(frame, "band_mask")?,
        };
        hello.check()?;
        Ok(hello)
    }

    /// Refuses what contradicts itself, or would leave an answer's size open.
    fn check(&self) -> Result<(), ExecError> {
        let TokenizerSpec { stride, parameters, weights, .. } = &self.spec;
        if (*parameters == 0) != weights.is_empty() {
            return Err(wrong(
                "`weights` with the sha256 of what its `parameters` are, and none for 0 parameters",
                format!("{parameters} parameters and {} sha256", weights.len()),
            ));
        }
        if let Some((height, width)) = self.size
            && (height % stride != 0 || width % stride != 0)
        {
            let expected = format!("a `size` of multiples of the stride {stride}");
            return Err(wrong(expected, format!("{height}x{width}")));
        }
        let latent = match &self.latent {
            Latent::Numbers(rule) => Some(rule),
            Latent::BitStream => None,
        };
        for rule in [latent, self.features.as_ref()].into_iter().flatten() {
            if let Some(by) = rule.does_not_divide(*stride) {
                let expected = format!("sides divided by what divides the stride {stride}");
                return Err(wrong(expected, format!("a division by {by}")));
            }
        }
        match latent {
            Some(rule) if self.decodes && self.size.is_none() && !rule.tells_picture() => {
                Err(wrong(
                    "a `latent` that tells both sides of the picture, as `4,H/8,W/8` or \
                     `H/16*W/16,768` do, or the one `size` HEIGHTxWIDTH that it takes",
                    "neither",
                ))
            }
            _ => Ok(()),
        }
    }
}

fn wrong(expected: impl Into<String>, found: impl Into<String>) -> ExecError {
    ExecError::Answer { request: "hello", expected: expected.into(), found: found.into() }
}

fn number(
    frame: &Frame,
    key: &str,
    range: std::ops::RangeInclusive<u64>,
) -> Result<u64, ExecError> {
    let text = frame.text(key);
    text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let expected = format!("`{key}` from {} to {}", range.start(), range.end());
        wrong(expected, format!("`{text}`"))
    })
}

/// `yes` or `no`; left out it is `no`.
fn flag(frame: &Frame, key: &str) -> Result<bool, ExecError> {
    match frame.text(key) {
        "yes" => Ok(true),
        "" | "no" => Ok(false),
        found => Err(wrong(format!("`{key}` yes or no"), format!("`{found}`"))),
    }
}

fn rule(key: &str, text: &str, least: usize) -> Result<Rule, ExecError> {
    let parsed = text.parse::<Rule>().ok();
    let fits = |rule: &Rule| rule.axes() >= least && (key != "features" || rule.axes() == 3);
    parsed.filter(fits).ok_or_else(|| {
        let expected = match key {
            "features" => "`features` as ROWS,COLUMNS,WIDTH, as in `H/16,W/16,768`",
            _ => "`latent` as `4,H/8,W/8`, `H/16*W/16,768`, `32,12` or `bits`",
        };
        wrong(expected, format!("`{text}`"))
    })
}

fn size(frame: &Frame) -> Result<Option<(usize, usize)>, ExecError> {
    let text = frame.text("size");
    if text.is_empty() {
        return Ok(None);
    }
    let side = |text: &str| text.parse().ok().filter(|side| (1..=65_536).contains(side));
    let sides = text.split_once('x').and_then(|(h, w)| Some((side(h)?, side(w)?)));
    sides.map(Some).ok_or_else(|| wrong("`size` as HEIGHTxWIDTH", format!("`{text}`")))
}

fn weights(frame: &Frame) -> Result<Vec<Weights>, ExecError> {
    let text = frame.text("weights");
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let expected = "`weights` as [{\"name\": TEXT, \"sha256\": 64 hexadecimal digits}, ...]";
    let digests: Vec<Digest> =
        serde_json::from_str(text).map_err(|error| wrong(expected, error.to_string()))?;
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    let weights = digests.into_iter().map(|Digest { name, sha256 }| match is_digest(&sha256) {
        true => Ok(Weights { name, sha256: sha256.to_ascii_lowercase() }),
        false => Err(wrong(expected, format!("`{sha256}`"))),
    });
    weights.collect()
}
