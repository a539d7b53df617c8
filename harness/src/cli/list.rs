use clap::Args;

#[derive(Args)]
pub(crate) struct ListArgs {
    /// tokenizers, generators, suites, metrics, protocols, data, references, plans or published [default: all]
    pub(crate) what: Option<String>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A protocol, metric, suite or tokenizer
    pub(crate) name: String,
}
