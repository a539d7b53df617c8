//! The graph as data. Names are those of torch-fidelity's and pytorch-fid's tensors.

use prismbench_kernels::nn::{Pool, Window};
use prismbench_weights::Expected;

/// A part of the network with one input.
pub(super) enum Step {
    /// Convolution without bias, batch normalisation, ReLU.
    Conv { name: &'static str, outputs: usize, window: Window },
    /// Pooling.
    Pool(Pool),
    /// Sequences that share their input; their outputs are put side by side.
    Branches(Vec<Vec<Step>>),
}

use Step::Branches;

/// A sequence under one name, and what can be taken behind it.
pub(super) struct Stage {
    /// Prefix of the names in it; empty for the stem.
    pub(super) name: &'static str,
    pub(super) steps: Vec<Step>,
}

/// Channels of a picture.
const COLOURS: usize = 3;
/// Features of the last layer.
pub(super) const POOLED: usize = 2048;
/// Classes of the last layer.
pub(super) const CLASSES: usize = 1008;

/// The stages, in order. Positions at which features are taken are named below.
pub(super) fn stages() -> Vec<Stage> {
    let halved = || Window::new(3, 3).stride(2, 2);
    let stem = |steps| Stage { name: "", steps };
    let stage = |name, branches| Stage { name, steps: vec![Branches(branches)] };
    vec![
        stem(vec![
            conv("Conv2d_1a_3x3", 32, halved()),
            conv("Conv2d_2a_3x3", 32, Window::new(3, 3)),
            conv("Conv2d_2b_3x3", 64, same(3, 3)),
            Step::Pool(Pool::max(halved())),
        ]),
        stem(vec![
            conv("Conv2d_3b_1x1", 80, same(1, 1)),
            conv("Conv2d_4a_3x3", 192, Window::new(3, 3)),
            Step::Pool(Pool::max(halved())),
        ]),
        stage("Mixed_5b", block_a(32)),
        stage("Mixed_5c", block_a(64)),
        stage("Mixed_5d", block_a(64)),
        stage("Mixed_6a", block_b()),
        stage("Mixed_6b", block_c(128)),
        stage("Mixed_6c", block_c(160)),
        stage("Mixed_6d", block_c(160)),
        stage("Mixed_6e", block_c(192)),
        stage("Mixed_7a", block_d()),
        stage("Mixed_7b", block_e(mean())),
        // The original network has a maximum here where its twin one block earlier has a mean.
        stage("Mixed_7c", block_e(Step::Pool(Pool::max(same(3, 3))))),
    ]
}

/// Stages to run until the features are there.
pub(super) const FIRST: usize = 1;
pub(super) const SECOND: usize = 2;
pub(super) const SPATIAL: usize = 9;
pub(super) const THIRD: usize = 10;
pub(super) const ALL: usize = 13;

/// Side of the maps behind [`SPATIAL`] stages.
pub(super) const SPATIAL_SIDE: usize = 17;
/// Channels that sFID looks at: the first of the first branch.
pub(super) const SPATIAL_CHANNELS: usize = 7;

fn conv(name: &'static str, outputs: usize, window: Window) -> Step {
    Step::Conv { name, outputs, window }
}

/// A window that keeps the size.
fn same(rows: usize, columns: usize) -> Window {
    Window::new(rows, columns).padding(rows / 2, columns / 2)
}

/// Mean over 3x3, without the padding: TensorFlow's, not torchvision's.
fn mean() -> Step {
    Step::Pool(Pool::average(same(3, 3)).excluding_padding())
}

fn block_a(pooled: usize) -> Vec<Vec<Step>> {
    vec![
        vec![conv("branch1x1", 64, same(1, 1))],
        vec![conv("branch5x5_1", 48, same(1, 1)), conv("branch5x5_2", 64, same(5, 5))],
        vec![
            conv("branch3x3dbl_1", 64, same(1, 1)),
            conv("branch3x3dbl_2", 96, same(3, 3)),
            conv("branch3x3dbl_3", 96, same(3, 3)),
        ],
        vec![mean(), conv("branch_pool", pooled, same(1, 1))],
    ]
}

fn block_b() -> Vec<Vec<Step>> {
    let halved = Window::new(3, 3).stride(2, 2);
    vec![
        vec![conv("branch3x3", 384, halved)],
        vec![
            conv("branch3x3dbl_1", 64, same(1, 1)),
            conv("branch3x3dbl_2", 96, same(3, 3)),
            conv("branch3x3dbl_3", 96, halved),
        ],
        vec![Step::Pool(Pool::max(halved))],
    ]
}

fn block_c(inner: usize) -> Vec<Vec<Step>> {
    vec![
        vec![conv("branch1x1", 192, same(1, 1))],
        vec![
            conv("branch7x7_1", inner, same(1, 1)),
            conv("branch7x7_2", inner, same(1, 7)),
            conv("branch7x7_3", 192, same(7, 1)),
        ],
        vec![
            conv("branch7x7dbl_1", inner, same(1, 1)),
            conv("branch7x7dbl_2", inner, same(7, 1)),
            conv("branch7x7dbl_3", inner, same(1, 7)),
            conv("branch7x7dbl_4", inner, same(7, 1)),
            conv("branch7x7dbl_5", 192, same(1, 7)),
        ],
        vec![mean(), conv("branch_pool", 192, same(1, 1))],
    ]
}

fn block_d() -> Vec<Vec<Step>> {
    let halved = Window::new(3, 3).stride(2, 2);
    vec![
        vec![conv("branch3x3_1", 192, same(1, 1)), conv("branch3x3_2", 320, halved)],
        vec![
            conv("branch7x7x3_1", 192, same(1, 1)),
            conv("branch7x7x3_2", 192, same(1, 7)),
            conv("branch7x7x3_3", 192, same(7, 1)),
            conv("branch7x7x3_4", 192, halved),
        ],
        vec![Step::Pool(Pool::max(halved))],
    ]
}

fn block_e(pool: Step) -> Vec<Vec<Step>> {
    let cross = |across, down| {
        Branches(vec![vec![conv(across, 384, same(1, 3))], vec![conv(down, 384, same(3, 1))]])
    };
    vec![
        vec![conv("branch1x1", 320, same(1, 1))],
        vec![conv("branch3x3_1", 384, same(1, 1)), cross("branch3x3_2a", "branch3x3_2b")],
        vec![
            conv("branch3x3dbl_1", 448, same(1, 1)),
            conv("branch3x3dbl_2", 384, same(3, 3)),
            cross("branch3x3dbl_3a", "branch3x3dbl_3b"),
        ],
        vec![pool, conv("branch_pool", 192, same(1, 1))],
    ]
}

/// Every tensor of the network: 94 convolutions of five tensors each, and the last layer.
pub(super) fn tensors() -> Vec<Expected> {
    let mut expected = Vec::new();
    let mut channels = COLOURS;
    for stage in stages() {
        channels = walk(&stage.steps, stage.name, channels, &mut expected);
    }
    expected.push(Expected::new("fc.weight", [CLASSES, channels]));
    expected.push(Expected::new("fc.bias", [CLASSES]));
    expected
}

/// Learned numbers: all but the statistics of the norms.
pub(super) fn parameters() -> u64 {
    let mut learned = tensors();
    learned.retain(|tensor| !tensor.name().contains("running"));
    Expected::count(&learned)
}

/// Notes the tensors of a sequence and gives the channels that come out of it.
fn walk(steps: &[Step], prefix: &str, inputs: usize, expected: &mut Vec<Expected>) -> usize {
    steps.iter().fold(inputs, |inputs, step| match *step {
        Step::Pool(_) => inputs,
        Step::Branches(ref branches) => {
            branches.iter().map(|branch| walk(branch, prefix, inputs, expected)).sum()
        }
        Step::Conv { name, outputs, window } => {
            let name = full_name(prefix, name);
            let shape = [outputs, inputs, window.kernel.0, window.kernel.1];
            expected.push(Expected::new(format!("{name}.conv.weight"), shape));
            for part in ["weight", "bias", "running_mean", "running_var"] {
                expected.push(Expected::new(format!("{name}.bn.{part}"), [outputs]));
            }
            outputs
        }
    })
}

/// `Mixed_5b.branch1x1`; the stem's names have no prefix.
pub(super) fn full_name(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_network_has_the_tensors_and_parameters_of_the_published_one() {
        assert_eq!(tensors().len(), 472);
        assert_eq!(parameters(), 23_850_960);
    }
}
