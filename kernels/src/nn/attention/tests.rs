use proptest::prelude::*;

use super::*;
use crate::nn::testing;

#[derive(Clone, Copy, Debug)]
struct Case {
    images: usize,
    heads: usize,
    /// Positions of queries and keys, channels of a key and of a value.
    queries: usize,
    keys: usize,
    depth: usize,
    width: usize,
    mask: Mask,
}

fn any_case() -> impl Strategy<Value = Case> {
    let mask = prop::sample::select(vec![Mask::None, Mask::Causal]);
    (1..=2_usize, 1..=3_usize, 1..=120_usize, 1..=300_usize, 1..=40_usize, 1..=20_usize, mask)
        .prop_map(|(images, heads, queries, keys, depth, width, mask)| Case {
            images,
            heads,
            queries,
            keys,
            depth,
            width,
            mask,
        })
}

impl Case {
    /// Queries, keys and values; `spread` scales the scores.
    fn maps(self, seed: u64, spread: f32) -> [Maps; 3] {
        let Self { images, heads, queries, keys, depth, width, .. } = self;
        let sizes = [(queries, depth, spread), (keys, depth, 1.0), (keys, width, 1.0)];
        let mut seed = seed;
        sizes.map(|(positions, part, scale)| {
            seed = seed.wrapping_add(1);
            let shape = MapShape { images, height: 1, width: positions, channels: heads * part };
            let mut values = testing::values(shape.len(), seed);
            values.iter_mut().for_each(|x| *x *= scale);
            Maps::from_rows(shape, values).unwrap()
        })
    }

    /// The definition in f64.
    fn plain(self, [q, k, v]: &[Maps; 3], scale: f64) -> Vec<f64> {
        let [q, k, v] = [q, k, v].map(|maps| maps.to_rows().unwrap());
        let mut out = vec![];
        for index in 0..self.images * self.queries * self.heads {
            let (head, query) = (index % self.heads, index / self.heads % self.queries);
            let image = index / self.heads / self.queries;
            let row = |rows: &[f32], position: usize, positions: usize, part: usize| {
                let at = ((image * positions + position) * self.heads + head) * part;
                rows[at..at + part].iter().map(|&x| f64::from(x)).collect::<Vec<_>>()
            };
            let last = if self.mask == Mask::Causal { self.keys.min(query + 1) } else { self.keys };
            let query = row(&q, query, self.queries, self.depth);
            let scores: Vec<f64> = (0..last)
                .map(|key| {
                    let key = row(&k, key, self.keys, self.depth);
                    scale * query.iter().zip(key).map(|(a, b)| a * b).sum::<f64>()
                })
                .collect();
            let largest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let parts: Vec<f64> = scores.iter().map(|s| libm::exp(s - largest)).collect();
            let total: f64 = parts.iter().sum();
            let mut sums = vec![0.0; self.width];
            for (key, part) in parts.iter().enumerate() {
                let value = row(&v, key, self.keys, self.width);
                sums.iter_mut().zip(value).for_each(|(sum, value)| *sum += part * value / total);
            }
            out.extend(sums);
        }
        out
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn attention_is_its_definition(
        case in any_case(),
        seed: u64,
        spread in prop::sample::select(vec![0.1_f32, 2.0]),
    ) {
        let maps = case.maps(seed, spread);
        let scale = 1.0 / (case.depth as f64).sqrt();
        let expected = case.plain(&maps, scale);
        // Scores up to 8 x 4 x 6.3 = 200 are off by 200 x 6e-8 x 4; values are below 4.
        let tolerance = if spread > 1.0 { 1e-3 } else { 1e-4 };
        let attention = Attention::new(case.heads).mask(case.mask);
        let device = maps.each_ref().map(|m| Maps::on_device(&m.to_tensor().unwrap()).unwrap());
        for [q, k, v] in [&maps, &device] {
            let out = attention.forward(q, k, v).unwrap();
            prop_assert_eq!(out.shape().width, case.queries);
            testing::assert_near(&out.to_rows().unwrap(), &expected, tolerance);
        }
    }

    #[test]
    fn attention_has_the_same_bits_on_every_instruction_set_and_for_any_threads_and_batch(
        case in any_case(),
        seed: u64,
    ) {
        let [q, k, v] = case.maps(seed, 1.0);
        let attention = Attention::new(case.heads).mask(case.mask);
        let run = |attention: Attention| attention.forward(&q, &k, &v).unwrap().to_rows().unwrap();
        let [one, three] = testing::on_threads(|| run(attention));
        testing::assert_same_bits(&one, &three);
        testing::on_every_instruction_set(|set| {
            testing::assert_same_bits(&run(attention.for_set(set)), &one);
        });
        let last = |maps: &Maps| {
            let shape = maps.shape();
            let rows = maps.to_rows().unwrap()[(case.images - 1) * shape.image_len()..].to_vec();
            Maps::from_rows(MapShape { images: 1, ..shape }, rows).unwrap()
        };
        let alone = attention.forward(&last(&q), &last(&k), &last(&v)).unwrap();
        let rows = alone.to_rows().unwrap();
        testing::assert_same_bits(&rows, &one[one.len() - rows.len()..]);
    }
}

#[test]
fn joint_queries_keys_and_values_are_those_side_by_side() {
    let case =
        Case { images: 2, heads: 3, queries: 50, keys: 50, depth: 8, width: 8, mask: Mask::None };
    let [q, k, v] = case.maps(9, 1.0);
    let joint = Maps::concat(&[&q, &k, &v]).unwrap();
    let attention = Attention::new(3).scale(0.25);
    let apart = attention.forward(&q, &k, &v).unwrap().to_rows().unwrap();
    let found = attention.forward_joint(&joint).unwrap().to_rows().unwrap();
    testing::assert_same_bits(&found, &apart);
    let device = Maps::on_device(&joint.to_tensor().unwrap()).unwrap();
    let expected = case.plain(&[q, k, v], 0.25);
    let found = attention.forward_joint(&device).unwrap().to_rows().unwrap();
    testing::assert_near(&found, &expected, 1e-4);
}

#[test]
fn a_large_score_leaves_no_other_a_part() {
    let shape = |width, channels| MapShape { images: 1, height: 1, width, channels };
    let q = Maps::from_rows(shape(1, 1), vec![1e4]).unwrap();
    let mut keys = vec![0.0; 400];
    keys[300] = 1e4;
    let k = Maps::from_rows(shape(400, 1), keys).unwrap();
    let v = Maps::from_rows(shape(400, 1), (0..400).map(|i| i as f32).collect()).unwrap();
    let out = Attention::new(1).forward(&q, &k, &v).unwrap().to_rows().unwrap();
    assert_eq!(out, [300.0]);
}

#[test]
fn tokens_that_do_not_fit_are_refused() {
    let maps = |width, channels| {
        let shape = MapShape { images: 1, height: 1, width, channels };
        Maps::from_rows(shape, vec![1.0; shape.len()]).unwrap()
    };
    let refused = |heads, q: &Maps, k: &Maps, v: &Maps| {
        matches!(Attention::new(heads).forward(q, k, v), Err(NnError::Shape { .. }))
    };
    assert!(refused(2, &maps(4, 5), &maps(4, 5), &maps(4, 5)));
    assert!(refused(1, &maps(4, 5), &maps(4, 6), &maps(4, 5)));
    assert!(refused(1, &maps(4, 5), &maps(4, 5), &maps(3, 5)));
    assert!(refused(0, &maps(4, 5), &maps(4, 5), &maps(4, 5)));
    assert!(Attention::new(2).forward_joint(&maps(4, 9)).is_err());
    let none = Attention::new(1).forward(&maps(3, 2), &maps(0, 2), &maps(0, 4)).unwrap();
    assert_eq!(none.to_rows().unwrap(), [0.0; 12]);
}
