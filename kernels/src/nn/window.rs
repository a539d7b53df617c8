/// Where a convolution or a pooling looks: `(rows, columns)` throughout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Taps.
    pub kernel: (usize, usize),
    /// Steps between neighbouring outputs.
    pub stride: (usize, usize),
    /// Steps between neighbouring taps.
    pub dilation: (usize, usize),
    /// Rows and columns outside of the maps.
    pub padding: Padding,
}

/// Rows and columns added on each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Padding {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns to the left.
    pub left: usize,
    /// Columns to the right.
    pub right: usize,
}

impl Padding {
    /// The same rows above and below, the same columns left and right.
    #[must_use]
    pub const fn symmetric(rows: usize, columns: usize) -> Self {
        Self { top: rows, bottom: rows, left: columns, right: columns }
    }
}

impl Window {
    /// Every position, without padding.
    #[must_use]
    pub const fn new(rows: usize, columns: usize) -> Self {
        Self {
            kernel: (rows, columns),
            stride: (1, 1),
            dilation: (1, 1),
            padding: Padding::symmetric(0, 0),
        }
    }

    /// The same window with other steps.
    #[must_use]
    pub const fn stride(self, rows: usize, columns: usize) -> Self {
        Self { stride: (rows, columns), ..self }
    }

    /// The same window with other steps between its taps.
    #[must_use]
    pub const fn dilation(self, rows: usize, columns: usize) -> Self {
        Self { dilation: (rows, columns), ..self }
    }

    /// The same window with rows and columns added on both sides.
    #[must_use]
    pub const fn padding(self, rows: usize, columns: usize) -> Self {
        Self { padding: Padding::symmetric(rows, columns), ..self }
    }

    /// Rows and columns that the taps span.
    #[must_use]
    pub fn span(&self) -> (usize, usize) {
        let span = |taps: usize, dilation: usize| (taps.saturating_sub(1)) * dilation + 1;
        (span(self.kernel.0, self.dilation.0), span(self.kernel.1, self.dilation.1))
    }

    /// Rows and columns of the output for maps of `height` rows and `width` columns; `None` where
    /// the window does not fit once.
    #[must_use]
    pub fn output(&self, height: usize, width: usize) -> Option<(usize, usize)> {
        let (rows, columns) = self.span();
        let Padding { top, bottom, left, right } = self.padding;
        let fit = |padded: usize, span: usize, stride: usize| {
            padded.checked_sub(span).map(|free| free / stride.max(1) + 1)
        };
        Some((
            fit(height + top + bottom, rows, self.stride.0)?,
            fit(width + left + right, columns, self.stride.1)?,
        ))
    }
}
