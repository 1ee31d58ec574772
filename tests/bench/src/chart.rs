//! Bar charts in SVG.

use std::fmt;

/// A chart of one quantity of several contestants.
#[derive(Clone, Debug)]
pub(crate) struct Chart {
    /// The file name without the extension.
    pub(crate) name: &'static str,
    pub(crate) title: String,
    pub(crate) bars: Vec<(String, f64)>,
    /// Whether the scale is logarithmic, for values that differ a thousandfold. The title says so.
    pub(crate) logarithmic: bool,
}

const WIDTH: f64 = 720.0;
const ROW: f64 = 26.0;
const HEAD: f64 = 44.0;
/// The left edge of the bars, right of the names, and the length of the longest.
const LEFT: f64 = 200.0;
const LONGEST: f64 = 430.0;
/// The minimum that is still a visible bar on a logarithmic scale.
const SHORTEST: f64 = 12.0;

impl Chart {
    fn length(&self, value: f64) -> f64 {
        let values = || self.bars.iter().map(|(_, value)| *value);
        let (least, greatest) = (values().fold(f64::MAX, f64::min), values().fold(0.0, f64::max));
        let share = if self.logarithmic {
            (value / least).ln() / (greatest / least).ln()
        } else {
            value / greatest
        };
        SHORTEST + (LONGEST - SHORTEST) * if share.is_finite() { share } else { 1.0 }
    }
}

impl fmt::Display for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let height = HEAD + ROW * self.bars.len() as f64 + 12.0;
        writeln!(
            f,
            r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="system-ui, sans-serif" font-size="13">"#
        )?;
        writeln!(f, r##"<rect width="100%" height="100%" fill="#fff"/>"##)?;
        writeln!(f, r#"<text x="16" y="26" font-weight="600">{}</text>"#, escaped(&self.title))?;
        for (index, (name, value)) in self.bars.iter().enumerate() {
            let top = HEAD + ROW * index as f64;
            let (text, length) = (top + 17.0, self.length(*value));
            let colour = if name.starts_with("regrant") { "#b7410e" } else { "#9aa5b1" };
            let (name, after) = (escaped(name), LEFT + length + 8.0);
            writeln!(f, r#"<text x="{}" y="{text}" text-anchor="end">{name}</text>"#, LEFT - 10.0)?;
            writeln!(
                f,
                r#"<rect x="{LEFT}" y="{}" width="{length:.1}" height="18" rx="2" fill="{colour}"/>"#,
                top + 3.0
            )?;
            writeln!(f, r#"<text x="{after:.1}" y="{text}">{}</text>"#, short(*value))?;
        }
        writeln!(f, "</svg>")
    }
}

fn short(value: f64) -> String {
    match value {
        value if value < 10.0 => format!("{value:.2}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_value_has_the_longest_bar() {
        let bars = vec![("a <b>".to_owned(), 1.0), ("regrant".to_owned(), 10.0)];
        let mut chart = Chart { name: "c", title: "t & u".to_owned(), bars, logarithmic: false };
        let is = |length: f64, wanted: f64| (length - wanted).abs() < 1e-9;
        assert!(is(chart.length(10.0), LONGEST));
        assert!(is(chart.length(1.0), SHORTEST + (LONGEST - SHORTEST) / 10.0));
        chart.logarithmic = true;
        assert!(is(chart.length(1.0), SHORTEST) && is(chart.length(10.0), LONGEST));
        let picture = chart.to_string();
        assert!(picture.contains("t &amp; u") && picture.contains("a &lt;b>"));
        assert_eq!(picture.matches("<rect").count(), 3);
    }
}
