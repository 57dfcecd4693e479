//! Pictures of costs against something, both on logarithmic scales.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    Outcome,
    driver::{Measured, Summary},
    scenario::Plot,
};

/// How large a picture is, and where in it the names of the lines begin.
const SIZE: (u32, u32) = (900, 480);
const NAMES: u32 = 660;
const TEXT: &str = "sans-serif";

/// Colours that are told apart also by people who see fewer of them (Okabe and Ito's).
const COLOURS: [RGBColor; 8] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
    RGBColor(130, 130, 130),
];

/// The line of a contender: how far to the right, and what it costs there.
struct Line<'a> {
    name: &'a str,
    points: Vec<(f64, Summary)>,
}

/// Draws a line for each contender through the medians of all rows that have a place in the plot, with bars from
/// quartile to quartile.
///
/// # Errors
///
/// If the file cannot be written, or there is nothing to draw.
pub fn draw(plot: &Plot, tables: &[Measured], file: &Path) -> Outcome<()> {
    let lines = lines(tables);
    let points = || lines.iter().flat_map(|line| &line.points);
    let ends = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (left, right) = ends(&mut points().map(|(x, _)| *x));
    let (bottom, top) = ends(&mut points().flat_map(|(_, cost)| [cost.lower, cost.upper]));
    if left > right {
        return Err(format!("nothing to draw for {:?}", plot.title).into());
    }

    let picture = SVGBackend::new(file, SIZE).into_drawing_area();
    picture.fill(&WHITE)?;
    let (area, names) = picture.split_horizontally(NAMES);
    let mut chart = ChartBuilder::on(&area)
        .caption(plot.title, (TEXT, 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (left * 0.85..right * 1.15).log_scale().base(plot.base),
            (bottom * 0.6..top * 1.6).log_scale(),
        )?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(plot.x).y_desc(plot.y).label_style((TEXT, 13)).axis_desc_style((TEXT, 15));
    mesh.x_label_formatter(&|x| plain(*x)).y_label_formatter(&|y| plain(*y));
    mesh.light_line_style(WHITE).bold_line_style(RGBColor(225, 225, 225)).draw()?;
    for (index, (line, colour)) in lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let style = colour.stroke_width(2);
        let medians = line.points.iter().map(|(x, cost)| (*x, cost.median));
        chart.draw_series(LineSeries::new(medians.clone(), style))?;
        chart.draw_series(medians.map(|point| Circle::new(point, 3, colour.filled())))?;
        let spread = line.points.iter().map(|(x, cost)| PathElement::new([(*x, cost.lower), (*x, cost.upper)], style));
        chart.draw_series(spread)?;
        let y = 50 + 22 * index as i32;
        names.draw(&PathElement::new([(4, y + 6), (24, y + 6)], style))?;
        names.draw(&Text::new(line.name, (30, y), (TEXT, 13)))?;
    }
    picture.present()?;
    Ok(())
}

/// In the order in which they come in the tables, which is ours first.
fn lines(tables: &[Measured]) -> Vec<Line<'_>> {
    let mut lines: Vec<Line<'_>> = Vec::new();
    for row in tables.iter().flat_map(|table| &table.rows) {
        let Some((name, x)) = &row.point else { continue };
        let point = (*x, row.summary);
        match lines.iter_mut().find(|line| line.name == name) {
            Some(line) => line.points.push(point),
            None => lines.push(Line { name, points: vec![point] }),
        }
    }
    lines.iter_mut().for_each(|line| line.points.sort_by(|a, b| a.0.total_cmp(&b.0)));
    lines
}

/// As people write it: `20k` and not `20000`.
fn plain(value: f64) -> String {
    let (scaled, unit) = match value {
        value if value >= 1e6 => (value / 1e6, "M"),
        value if value >= 1e3 => (value / 1e3, "k"),
        value => (value, ""),
    };
    let digits = format!("{scaled:.2}");
    format!("{}{unit}", digits.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn labels_of_the_axes_are_short() {
        assert_eq!([0.5, 7.0, 20_000.0, 1_500_000.0].map(plain), ["0.5", "7", "20k", "1.5M"]);
    }
}
