/// A window along one side of the maps.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side {
    pub(super) kernel: usize,
    pub(super) stride: usize,
    pub(super) dilation: usize,
}

/// The taps of one window along one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taps {
    /// The first row or column of the map that is seen.
    pub(super) first: usize,
    /// Taps on the map.
    pub(super) count: usize,
    /// Taps on the map and its padding.
    pub(super) padded: usize,
}

impl Side {
    /// The windows over `extent` rows or columns; `None` where there is none or where one sees
    /// nothing of the map.
    pub(super) fn taps(
        self,
        extent: usize,
        (before, after): (usize, usize),
        ceil: bool,
    ) -> Option<Vec<Taps>> {
        let (stride, dilation) = (self.stride.max(1), self.dilation.max(1));
        let free =
            (extent + before + after).checked_sub((self.kernel.max(1) - 1) * dilation + 1)?;
        let windows = if ceil {
            // The last window must start on the map or on the padding before it.
            free.div_ceil(stride).min((extent + before).saturating_sub(1) / stride) + 1
        } else {
            free / stride + 1
        };
        let window = |index: usize| {
            let start = index * stride;
            // Taps before a place of the padded map.
            let until = |end: usize| end.saturating_sub(start).div_ceil(dilation).min(self.kernel);
            let (skipped, seen) = (until(before), until(before + extent));
            (seen > skipped).then(|| Taps {
                first: start + skipped * dilation - before,
                count: seen - skipped,
                padded: until(before + extent + after),
            })
        };
        (0..windows).map(window).collect()
    }
}
