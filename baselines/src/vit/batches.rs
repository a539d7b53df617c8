use candle_core::Tensor;

/// Tokens that are in memory at once: the layers of a ViT-B take about 40 MB for them, and more
/// would not be faster.
const TOKENS: usize = 2048;

/// How many pictures or texts of so many tokens are run at once. What a network gives does not
/// depend on how a batch is divided; how much memory it takes does.
pub(crate) fn at_once(tokens: usize) -> usize {
    (TOKENS / tokens.max(1)).max(1)
}

/// Parts of a batch, as many pictures each as are run [at once](at_once).
pub(crate) fn few_at_a_time(
    batch: &Tensor,
    tokens: usize,
) -> impl Iterator<Item = Result<Tensor, candle_core::Error>> {
    let pictures = batch.dims().first().copied().unwrap_or(0);
    let few = at_once(tokens);
    let part = move |start| batch.narrow(0, start, few.min(pictures - start));
    (0..pictures).step_by(few).map(part)
}
