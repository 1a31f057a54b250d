//! A PNG of the browser's as pixels: 8 bits a channel, with or without alpha, not interlaced.

/// Pixels.
pub struct Picture {
    pub width: usize,
    pub height: usize,
    channels: usize,
    bytes: Vec<u8>,
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |all, byte| all << 8 | usize::from(*byte))
}

impl Picture {
    /// Decodes it.
    pub fn of_png(png: &[u8]) -> Picture {
        assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
        let (mut at, mut data) = (8, Vec::new());
        let (mut width, mut height, mut channels) = (0, 0, 0);
        while at + 12 <= png.len() {
            let length = number(&png[at..at + 4]);
            let body = &png[at + 8..at + 8 + length];
            match &png[at + 4..at + 8] {
                b"IHDR" => {
                    (width, height) = (number(&body[..4]), number(&body[4..8]));
                    assert_eq!((body[8], body[12]), (8, 0), "8 bits, not interlaced");
                    channels = if body[9] == 6 { 4 } else { 3 };
                }
                b"IDAT" => data.extend_from_slice(body),
                _ => {}
            }
            at += 12 + length;
        }
        let raw = miniz_oxide::inflate::decompress_to_vec_zlib(&data).unwrap();
        let stride = width * channels;
        let mut bytes = vec![0_u8; stride * height];
        for row in 0..height {
            let line = &raw[row * (stride + 1)..(row + 1) * (stride + 1)];
            for column in 0..stride {
                let left = if column < channels {
                    0
                } else {
                    bytes[row * stride + column - channels]
                };
                let up = if row == 0 {
                    0
                } else {
                    bytes[(row - 1) * stride + column]
                };
                let corner = if row == 0 || column < channels {
                    0
                } else {
                    bytes[(row - 1) * stride + column - channels]
                };
                let guess = match line[0] {
                    0 => 0,
                    1 => left,
                    2 => up,
                    3 => ((u16::from(left) + u16::from(up)) / 2) as u8,
                    4 => paeth(left, up, corner),
                    other => panic!("filter {other}"),
                };
                bytes[row * stride + column] = line[column + 1].wrapping_add(guess);
            }
        }
        Picture {
            width,
            height,
            channels,
            bytes,
        }
    }

    /// Red, green, blue.
    pub fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let from = (y * self.width + x) * self.channels;
        [self.bytes[from], self.bytes[from + 1], self.bytes[from + 2]]
    }

    /// How many pixels of a part are near a color.
    pub fn near(&self, part: [f64; 4], color: [u8; 3]) -> usize {
        let [x, y, width, height] = part.map(|of| of.max(0.0) as usize);
        let is_near = |found: [u8; 3]| {
            let pairs = found.iter().zip(color);
            pairs
                .map(|(a, b)| a.abs_diff(b))
                .all(|difference| difference < 40)
        };
        let rows = y..(y + height).min(self.height);
        rows.flat_map(|y| (x..(x + width).min(self.width)).map(move |x| (x, y)))
            .filter(|(x, y)| is_near(self.at(*x, *y)))
            .count()
    }

    /// The mean brightness, 0 to 255.
    pub fn brightness(&self) -> f64 {
        let all = (0..self.height).flat_map(|y| (0..self.width).map(move |x| (x, y)));
        let sum: f64 = all
            .map(|(x, y)| self.at(x, y).iter().map(|of| f64::from(*of)).sum::<f64>() / 3.0)
            .sum();
        sum / (self.width * self.height) as f64
    }
}

fn paeth(left: u8, up: u8, corner: u8) -> u8 {
    let [a, b, c] = [left, up, corner].map(i16::from);
    let guess = a + b - c;
    let distance = |of: i16| (guess - of).abs();
    if distance(a) <= distance(b) && distance(a) <= distance(c) {
        left
    } else if distance(b) <= distance(c) {
        up
    } else {
        corner
    }
}
