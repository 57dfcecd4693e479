//! Plots of costs with a line for each contender, both axes logarithmic.

use std::path::Path;

use plotters::prelude::*;

use crate::{
    Outcome,
    driver::{Measured, Summary},
    scenario::Lines,
};

/// The size of a plot, and where the legend begins.
const SIZE: (u32, u32) = (900, 480);
const LEGEND: u32 = 660;
const FONT: &str = "sans-serif";

/// Colours that colour-blind people can distinguish (by Okabe and Ito).
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

/// The line of a contender: x coordinates, and the costs there.
struct Line<'a> {
    name: &'a str,
    points: Vec<(f64, Summary)>,
}

/// Draws a line for each contender through the medians of all rows that have a point, with bars between the quartiles.
///
/// # Errors
///
/// If the file cannot be written, or there is nothing to draw.
pub(super) fn draw(plot: &Lines, tables: &[Measured], file: &Path) -> Outcome<()> {
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

    let plot_area = SVGBackend::new(file, SIZE).into_drawing_area();
    plot_area.fill(&WHITE)?;
    let (area, legend) = plot_area.split_horizontally(LEGEND);
    let mut chart = ChartBuilder::on(&area)
        .caption(plot.title, (FONT, 18))
        .margin(12)
        .x_label_area_size(44)
        .y_label_area_size(76)
        .build_cartesian_2d(
            (left * 0.85..right * 1.15).log_scale().base(plot.base),
            (bottom * 0.6..top * 1.6).log_scale(),
        )?;
    let mut mesh = chart.configure_mesh();
    mesh.x_desc(plot.x).y_desc(plot.y).label_style((FONT, 13)).axis_desc_style((FONT, 15));
    mesh.x_label_formatter(&|x| label(*x)).y_label_formatter(&|y| label(*y));
    mesh.light_line_style(WHITE).bold_line_style(RGBColor(225, 225, 225)).draw()?;
    for (index, (line, colour)) in lines.iter().zip(COLOURS.iter().cycle()).enumerate() {
        let style = colour.stroke_width(2);
        let medians = line.points.iter().map(|(x, cost)| (*x, cost.median));
        chart.draw_series(LineSeries::new(medians.clone(), style))?;
        chart.draw_series(medians.map(|point| Circle::new(point, 3, colour.filled())))?;
        let spread = line.points.iter().map(|(x, cost)| PathElement::new([(*x, cost.lower), (*x, cost.upper)], style));
        chart.draw_series(spread)?;
        let y = 50 + 22 * index as i32;
        legend.draw(&PathElement::new([(4, y + 6), (24, y + 6)], style))?;
        legend.draw(&Text::new(line.name, (30, y), (FONT, 13)))?;
    }
    plot_area.present()?;
    Ok(())
}

/// Collects the lines in the order of the tables, which begin with our pools.
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

/// Formats a number for an axis: `20k`, not `20000`.
fn label(value: f64) -> String {
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
    use super::label;

    #[test]
    fn labels_of_axes_are_short() {
        assert_eq!([0.5, 7.0, 20_000.0, 1_500_000.0].map(label), ["0.5", "7", "20k", "1.5M"]);
    }
}
