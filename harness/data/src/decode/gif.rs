//! The first frame of a GIF, on the whole logical screen.

use gif::{ColorOutput, DecodeOptions, DecodingError, MemoryLimit};
use prismbench_core::RgbImage;

use super::{DecodeError, Limits, convert, rgb_image};

pub(super) fn decode(bytes: &[u8], limits: Limits) -> Result<RgbImage, DecodeError> {
    let mut options = DecodeOptions::new();
    options.set_color_output(ColorOutput::Indexed);
    // The limit of this project is checked below, before the frame is allocated.
    options.set_memory_limit(MemoryLimit::Unlimited);
    let mut decoder = options.read_info(bytes).map_err(refused)?;
    let (width, height) = (usize::from(decoder.width()), usize::from(decoder.height()));
    limits.check(width as u64, height as u64)?;
    let global = decoder.global_palette().map(<[u8]>::to_vec);
    let frame = decoder.next_frame_info().map_err(refused)?.ok_or(DecodeError::CutShort)?;
    limits.check(frame.width, frame.height)?;
    let (left, top) = (usize::from(frame.left), usize::from(frame.top));
    let columns = usize::from(frame.width);
    let palette = frame.palette.clone().or(global);
    // Where the frame leaves the screen free, Pillow shows the transparent colour or the first one.
    let free = frame.transparent.unwrap_or(0);
    let mut indices = vec![0; decoder.buffer_size()];
    decoder.read_into_buffer(&mut indices).map_err(refused)?;

    // Frames that reach beyond the screen widen it: so does Pillow.
    let (width, height) =
        (width.max(left + columns), height.max(top + frame_rows(&indices, columns)));
    limits.check(width as u64, height as u64)?;
    let mut screen = vec![free; width * height];
    for (row, line) in indices.chunks_exact(columns.max(1)).enumerate() {
        let start = (top + row) * width + left;
        screen[start..start + columns].copy_from_slice(line);
    }
    // The decoder has refused a frame without any palette; Pillow would show it in grey.
    rgb_image(width, height, convert::palette_to_rgb(&screen, &palette.unwrap_or_default()))
}

fn frame_rows(indices: &[u8], columns: usize) -> usize {
    indices.len().checked_div(columns).unwrap_or(0)
}

fn refused(error: DecodingError) -> DecodeError {
    match error {
        DecodingError::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            DecodeError::CutShort
        }
        other => DecodeError::damaged(other),
    }
}
