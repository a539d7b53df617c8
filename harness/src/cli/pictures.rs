use clap::Args;

const BATCH: usize = 8;

// How pictures are read and go through tokenizers and networks.
#[derive(Args, Clone)]
pub(crate) struct PictureArgs {
    /// Leave pictures out that cannot be used; count and name them
    #[arg(long)]
    pub(crate) skip_bad: bool,
    /// Most pixels of one picture; larger ones are refused before they are decoded [default: 178956970, as Pillow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) max_image_pixels: Option<u64>,
    /// Pictures that go through a tokenizer or network at once; no number depends on it
    #[arg(short, long, value_name = "N", default_value_t = BATCH, value_parser = batch)]
    pub(crate) batch: usize,
}

impl Default for PictureArgs {
    fn default() -> Self {
        Self { skip_bad: false, max_image_pixels: None, batch: BATCH }
    }
}

fn batch(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(batch @ 1..=4096) => Ok(batch),
        _ => Err("expected a whole number from 1 to 4096".to_owned()),
    }
}
