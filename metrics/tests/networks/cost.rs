use candle_core::Device;
use prismbench_core::{Choice as _, InceptionResize, LpipsTrunk};
use prismbench_kernels::nn::Arithmetic;
use prismbench_metrics::{FeatureNetwork, Inception, Lpips, LpipsHead, RandomFilters};
use serde_json::Value;

use crate::sample::golden;
use crate::weights::generated;

/// What fvcore counts: parameters, convolutions, linear layers.
fn fvcore(model: &str) -> [u64; 3] {
    let rows: Vec<Value> = golden("cost/fvcore.json");
    let row = rows.iter().find(|row| row["model"] == model).unwrap();
    ["parameters", "convolution", "linear"].map(|kind| row["encoder"][kind].as_u64().unwrap())
}

#[test]
fn inception_costs_what_fvcore_counts_whatever_the_picture() {
    let path = generated("inception.safetensors");
    let network =
        Inception::open(&path, InceptionResize::Tf1, Arithmetic::Fast, &Device::Cpu).unwrap();
    let cost = network.cost(32, 500).unwrap();
    let found = [cost.parameters, cost.work.convolution, cost.work.linear];
    assert_eq!(found, fvcore("inception"));
    assert_eq!(network.cost(299, 299).unwrap(), cost);
}

#[test]
fn trunks_cost_what_fvcore_counts() {
    for &trunk in LpipsTrunk::ALL {
        let path = generated(&format!("{trunk}.safetensors"));
        let head = LpipsHead::InTrunkFile;
        let network = Lpips::open(trunk, &path, head, Arithmetic::Fast, &Device::Cpu).unwrap();
        let cost = network.cost(256, 256).unwrap();
        let [parameters, convolution, linear] = fvcore(&format!("lpips-{}", trunk.id()));
        assert_eq!([cost.work.convolution, cost.work.linear], [convolution, linear], "{trunk}");
        // The weights of the channels lie beside the trunk's.
        let channels = match trunk {
            LpipsTrunk::Alex => 1152,
            LpipsTrunk::Vgg => 1472,
            LpipsTrunk::Squeeze => 2240,
        };
        assert_eq!(cost.parameters - parameters, channels, "{trunk}");
        assert!(network.cost(4, 4).is_err(), "too small");
    }
}

/// Windows of 7x7 by 4, then twice 3x3 by 2, without padding: 256 becomes 63, 31 and 15.
#[test]
fn random_filters_cost_what_their_windows_say() {
    let network = RandomFilters::new(&Device::Cpu).unwrap();
    let cost = network.cost(256, 256).unwrap();
    let expected = 63 * 63 * 147 * 32 + 31 * 31 * 288 * 32 + 15 * 15 * 288 * 64;
    assert_eq!(cost.work.convolution, expected);
    assert_eq!(cost.parameters, 147 * 32 + 288 * 32 + 288 * 64);
}
