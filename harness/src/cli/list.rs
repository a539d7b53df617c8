use clap::Args;

#[derive(Args)]
pub(crate) struct ListArgs {
    /// tokenizers, generators, suites, metrics, protocols, data, references, plans or published [default: all]
    pub(crate) what: Option<String>,
    /// Only what has all these words somewhere in its line, in any case
    #[arg(requires = "what")]
    pub(crate) words: Vec<String>,
}

#[derive(Args)]
pub(crate) struct ExplainArgs {
    /// A protocol, metric, suite, tokenizer or generator
    pub(crate) name: String,
}
