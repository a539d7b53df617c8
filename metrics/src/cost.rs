//! What a tokenizer costs: counts, times, memory.

use prismbench_core::{Better, MetricDef, Unit};

/// A metric of cost.
const fn cost(
    id: &'static str,
    title: &'static str,
    (unit, better): (Unit, Better),
    definition: &'static str,
) -> MetricDef {
    MetricDef { id, title, unit, better, version: 1, definition }
}

const MACS: (Unit, Better) = (Unit::GigaMac, Better::Lower);
const FLOPS: (Unit, Better) = (Unit::GigaFlop, Better::Lower);
const COUNT: (Unit, Better) = (Unit::Parameters, Better::Lower);
const REST: (Unit, Better) = (Unit::GigaFlop, Better::Lower);
const INTENSITY: (Unit, Better) = (Unit::FlopPerByte, Better::Neither);
const RATE: (Unit, Better) = (Unit::ImagesPerSecond, Better::Higher);
const TIME: (Unit, Better) = (Unit::Millisecond, Better::Lower);
const SHARE: (Unit, Better) = (Unit::One, Better::Higher);

const OF_ENCODER: &str = "operations of the encoder for one image, counted by walking the network with the shapes that run, \
    whatever computes them (Winograd's products count as the convolution); the protocol's `macs` says what \
    counts, and the unit is GFLOP where two are counted for a product";
const OF_DECODER: &str = "operations of the decoder for one image, counted as those of the encoder";
const SPLIT_OF: &str = "multiply-accumulates for one image by what they belong to, a row each (`setting`): `convolution`, `linear` \
    and `attention` (queries with keys, parts with values), which together are the dialect `mac`, whatever \
    the protocol's `macs` says";
const REST_OF: &str = "operations for one image that no dialect of `macs` counts, each once: norms, activations, softmax, sums, \
    resizes";
const INTENSITY_OF: &str = "arithmetic intensity: floating-point operations, 2 for each multiply-accumulate of the dialect `mac`, \
    for each byte that is moved at least, which is each weight once for a batch and each value of a map once \
    for each layer that reads or writes it, in the protocol's `element-type`; of one image, and of a batch \
    of 256 in a row beside";
const RATE_OF: &str = "images a second at the batch size that gives most: the batch by the median time of a call (`timing` = \
    `sweep`), or all images by the time of all calls (`timm`); no reading of pictures, no metrics. A \
    row for each batch size beside. The interval is that of the median, by order statistics";
const LATENCY: &str = "median time of a call with one image (`timing` = `sweep`; the interval by order statistics) or the mean \
    of a call with the batch (`timm`)";
const LATENCY_95: &str = "95th percentile of the time of a call with one image, or with the batch under `timm`: nearest rank";
const DEVICE_TIME: &str = "the latency's calls by the device's own clock: from an event before the first of its work to one behind \
    the last, which leaves out how long the host waits for it; median (`sweep`) or mean (`timm`)";
const ROOFLINE: &str = "share of the roofline: the time that the counted products need at the machine's measured peak, or the \
    bytes of weights and maps at its copy bandwidth, whichever is longer, by the measured time; above \
    1 where fewer products are computed than are counted (Winograd) or maps stay in caches";

/// Operations of the encoder in multiply-accumulates.
pub const ENCODER_MACS: MetricDef = cost("encoder-macs", "encoder", MACS, OF_ENCODER);
/// The same in floating-point operations, by the dialects that count those.
pub const ENCODER_FLOPS: MetricDef = cost("encoder-macs", "encoder", FLOPS, OF_ENCODER);
/// Operations of the decoder in multiply-accumulates.
pub const DECODER_MACS: MetricDef = cost("decoder-macs", "decoder", MACS, OF_DECODER);
/// The same in floating-point operations, by the dialects that count those.
pub const DECODER_FLOPS: MetricDef = cost("decoder-macs", "decoder", FLOPS, OF_DECODER);

/// Multiply-accumulates of the encoder's convolutions, linear layers and attention.
pub const ENCODER_MACS_SPLIT: MetricDef =
    cost("encoder-macs-split", "encoder split", MACS, SPLIT_OF);
/// Those of the decoder's.
pub const DECODER_MACS_SPLIT: MetricDef =
    cost("decoder-macs-split", "decoder split", MACS, SPLIT_OF);
/// Operations of the encoder that are no products.
pub const ENCODER_REST: MetricDef = cost("encoder-rest", "encoder rest", REST, REST_OF);
/// Those of the decoder.
pub const DECODER_REST: MetricDef = cost("decoder-rest", "decoder rest", REST, REST_OF);
/// Multiply-accumulates of what makes one vector of an encoder's tokens.
pub const HEAD_MACS: MetricDef = cost(
    "head-macs",
    "head",
    MACS,
    "multiply-accumulates for one image of the head that makes one vector of the encoder's tokens, in the \
        dialect `mac`: no part of `encode` nor of the encoder's counts, and run for features only",
);
/// Operations of the encoder by the bytes that it moves.
pub const ENCODER_INTENSITY: MetricDef =
    cost("encoder-intensity", "encoder intensity", INTENSITY, INTENSITY_OF);
/// Those of the decoder.
pub const DECODER_INTENSITY: MetricDef =
    cost("decoder-intensity", "decoder intensity", INTENSITY, INTENSITY_OF);

/// Learned numbers.
pub const PARAMETERS: MetricDef = cost(
    "parameters",
    "parameters",
    COUNT,
    "learned or fitted numbers of the tokenizer as its weights files have them, what is not used by encode and \
        decode included",
);
/// Learned numbers of the encoder.
pub const ENCODER_PARAMETERS: MetricDef = cost(
    "encoder-parameters",
    "encoder parameters",
    COUNT,
    "learned or fitted numbers of the encoder, without a head that pools features",
);
/// Learned numbers of the decoder.
pub const DECODER_PARAMETERS: MetricDef = cost(
    "decoder-parameters",
    "decoder parameters",
    COUNT,
    "learned or fitted numbers of the decoder, fixed positions that its file holds included",
);

/// Images encoded a second.
pub const ENCODE_RATE: MetricDef = cost("encode-rate", "encode", RATE, RATE_OF);
/// Images decoded a second.
pub const DECODE_RATE: MetricDef = cost("decode-rate", "decode", RATE, RATE_OF);
/// Images encoded and decoded a second.
pub const ROUND_TRIP_RATE: MetricDef = cost("round-trip-rate", "round trip", RATE, RATE_OF);

/// Time of an encode.
pub const ENCODE_LATENCY: MetricDef = cost("encode-latency", "encode", TIME, LATENCY);
/// Time of a decode.
pub const DECODE_LATENCY: MetricDef = cost("decode-latency", "decode", TIME, LATENCY);
/// Time of both.
pub const ROUND_TRIP_LATENCY: MetricDef = cost("round-trip-latency", "round trip", TIME, LATENCY);
/// Time that 95 of 100 encodes stay below.
pub const ENCODE_LATENCY_P95: MetricDef =
    cost("encode-latency-p95", "encode p95", TIME, LATENCY_95);
/// Time that 95 of 100 decodes stay below.
pub const DECODE_LATENCY_P95: MetricDef =
    cost("decode-latency-p95", "decode p95", TIME, LATENCY_95);
/// Time that 95 of 100 round trips stay below.
pub const ROUND_TRIP_LATENCY_P95: MetricDef =
    cost("round-trip-latency-p95", "round trip p95", TIME, LATENCY_95);

/// Time that an encode takes on the device itself.
pub const ENCODE_DEVICE_TIME: MetricDef =
    cost("encode-device-time", "encode on device", TIME, DEVICE_TIME);
/// Time of a decode there.
pub const DECODE_DEVICE_TIME: MetricDef =
    cost("decode-device-time", "decode on device", TIME, DEVICE_TIME);
/// Time of both there.
pub const ROUND_TRIP_DEVICE_TIME: MetricDef =
    cost("round-trip-device-time", "round trip on device", TIME, DEVICE_TIME);

/// How near an encode is to what the machine can do.
pub const ENCODE_ROOFLINE: MetricDef = cost("encode-roofline", "encode of peak", SHARE, ROOFLINE);
/// How near a decode is.
pub const DECODE_ROOFLINE: MetricDef = cost("decode-roofline", "decode of peak", SHARE, ROOFLINE);
/// How near both are.
pub const ROUND_TRIP_ROOFLINE: MetricDef =
    cost("round-trip-roofline", "round trip of peak", SHARE, ROOFLINE);

/// Largest resident memory.
pub const PEAK_HOST_MEMORY: MetricDef = cost(
    "peak-host-memory",
    "memory",
    (Unit::Mebibyte, Better::Lower),
    "largest resident memory of the whole process while the tokenizer is timed, its weights, the program and the \
        largest batch of the sweep included (Linux: VmHWM, reset before)",
);
/// Largest memory of a device.
pub const PEAK_DEVICE_MEMORY: MetricDef = cost(
    "peak-device-memory",
    "device memory",
    (Unit::Mebibyte, Better::Lower),
    "largest memory that tensors take on the device while the tokenizer is timed, its weights and the largest \
        batch of the sweep included (CUDA: the most that was used of the device's memory pool, reset before)",
);
/// Time to make the tokenizer of its files.
pub const LOAD_TIME: MetricDef = cost(
    "load-time",
    "load",
    TIME,
    "time to open the tokenizer: reading and checking its weights and laying them out; files may be in the \
        system's cache",
);
/// Time of the very first call.
pub const FIRST_CALL_TIME: MetricDef = cost(
    "first-call-time",
    "first call",
    TIME,
    "time of the first encode of one image after loading: memory is touched and weights are packed for the first \
        time; it is in no other time",
);
/// What copying reaches on this machine.
pub const COPY_BANDWIDTH: MetricDef = cost(
    "copy-bandwidth",
    "copy",
    (Unit::GigabytePerSecond, Better::Neither),
    "bytes read and written a second by copying 128 MiB on all threads, the fastest of at least 5 copies: the \
        machine's, measured in the same run; on a GPU the copy of 2^25 numbers within its memory",
);
/// What a matrix product reaches on this machine.
pub const MATRIX_PEAK: MetricDef = cost(
    "matrix-peak",
    "product",
    (Unit::GigaFlopPerSecond, Better::Neither),
    "floating-point operations a second of a 1,536 x 1,536 x 1,536 product of f32 matrices on all threads, the \
        fastest of at least 5: the machine's, measured in the same run; on a GPU of matrices of 8,192 x 8,192 \
        of the protocol's `element-type`",
);

/// Whether a metric is of times, which no second run gives again: by its id without version.
#[must_use]
pub fn is_timed(metric: &str) -> bool {
    let timed = ["-rate", "-latency", "-latency-p95", "-roofline", "-time"];
    let single = [COPY_BANDWIDTH.id, MATRIX_PEAK.id, PEAK_DEVICE_MEMORY.id, PEAK_HOST_MEMORY.id];
    timed.iter().any(|end| metric.ends_with(end)) || single.contains(&metric)
}

/// Whether a metric is a count of the network's shapes, which every run gives again to the digit: by its
/// id without version.
#[must_use]
pub fn is_counted(metric: &str) -> bool {
    let counts = [
        ENCODER_MACS,
        DECODER_MACS,
        ENCODER_MACS_SPLIT,
        DECODER_MACS_SPLIT,
        ENCODER_REST,
        DECODER_REST,
        HEAD_MACS,
        ENCODER_INTENSITY,
        DECODER_INTENSITY,
        PARAMETERS,
        ENCODER_PARAMETERS,
        DECODER_PARAMETERS,
    ];
    counts.iter().any(|count| count.id == metric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_from_counts() {
        let timed = [
            &ENCODE_RATE,
            &DECODE_RATE,
            &ROUND_TRIP_RATE,
            &ENCODE_LATENCY,
            &ROUND_TRIP_DEVICE_TIME,
            &DECODE_LATENCY_P95,
            &ROUND_TRIP_ROOFLINE,
            &LOAD_TIME,
            &FIRST_CALL_TIME,
            &PEAK_DEVICE_MEMORY,
            &PEAK_HOST_MEMORY,
            &COPY_BANDWIDTH,
            &MATRIX_PEAK,
        ];
        assert!(timed.iter().all(|metric| is_timed(metric.id)));
        let counted = [&ENCODER_MACS, &DECODER_FLOPS, &PARAMETERS, &ENCODER_REST, &HEAD_MACS];
        assert!(!counted.iter().any(|metric| is_timed(metric.id)));
        assert!(counted.iter().all(|metric| is_counted(metric.id)));
        assert!(!timed.iter().any(|metric| is_counted(metric.id)));
        assert!(!["psnr", "bpp", "latent-floats", "t2i-r1"].into_iter().any(is_timed));
    }
}
