//! Plots with a bar for each contender: one panel for each table, from zero.

use std::path::Path;

use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

use super::{capital, time};
use crate::{
    Outcome,
    contender::Role,
    driver::{Measured, Row},
    scenario::Bars,
};

const WIDTH: u32 = 900;
/// The heights of the title of the plot, of the title of a panel, and of a bar with the space below it.
const TITLE: i32 = 40;
const PANEL: i32 = 34;
const BAR: i32 = 24;
/// Where bars begin, and the length of the longest.
const LEFT: i32 = 240;
const LONGEST: f64 = 560.0;
const FONT: &str = "sans-serif";

const OURS: RGBColor = RGBColor(0, 114, 178);
const PEER: RGBColor = RGBColor(170, 170, 170);

/// Draws the first tables of a scenario, without floors.
///
/// # Errors
///
/// If the file cannot be written.
pub(super) fn draw(plot: &Bars, tables: &[Measured], file: &Path) -> Outcome<()> {
    let panels: Vec<(&str, Vec<&Row>)> = tables
        .iter()
        .take(plot.tables)
        .map(|table| (&*table.title, table.rows.iter().filter(|row| row.role != Role::Floor).collect()))
        .collect();
    let height: i32 = panels.iter().map(|(_, rows)| PANEL + BAR * rows.len() as i32).sum();

    let area = SVGBackend::new(file, (WIDTH, (TITLE + height + 12) as u32)).into_drawing_area();
    area.fill(&WHITE)?;
    let text = |size, horizontal| TextStyle::from((FONT, size)).pos(Pos::new(horizontal, VPos::Center));
    area.draw(&Text::new(plot.title, (WIDTH as i32 / 2, TITLE / 2), text(22, HPos::Center)))?;
    let mut y = TITLE;
    for (title, rows) in panels {
        area.draw(&Text::new(capital(title), (20, y + PANEL / 2), text(18, HPos::Left)))?;
        y += PANEL;
        let longest = rows.iter().map(|row| row.summary.median).fold(f64::MIN, f64::max);
        for row in rows {
            let middle = y + BAR / 2;
            // At least a pixel, so that every bar is visible.
            let length = (row.summary.median / longest * LONGEST).max(1.0) as i32;
            let colour = if row.role == Role::Ours { OURS } else { PEER };
            let corners = [(LEFT, middle - 8), (LEFT + length, middle + 8)];
            area.draw(&Rectangle::new(corners, colour.filled()))?;
            area.draw(&Text::new(row.label.clone(), (LEFT - 8, middle), text(16, HPos::Right)))?;
            let cost = time(row.summary.median * plot.nanoseconds);
            area.draw(&Text::new(cost, (LEFT + length + 8, middle), text(16, HPos::Left)))?;
            y += BAR;
        }
    }
    area.present()?;
    Ok(())
}
