//! A design as text and as a figure.

use super::numbers::short;
use crate::analysis::design::{Design, Reestimated};
use plotters::prelude::*;
use std::fmt::Write;

/// The design for a terminal. Writing to a text cannot fail, so the results of `write!` are let go.
pub fn design_text(design: &Design) -> String {
    let mut out = String::new();
    let sides = if design.sides == 2 {
        "two-sided"
    } else {
        "one-sided"
    };
    let _ = writeln!(
        out,
        "{}, primary endpoint {}\n{} at alpha {}, {sides}: {} against {}\n",
        design.protocol,
        design.primary,
        design.hypothesis,
        design.alpha,
        design.null,
        design.alternative
    );
    let _ = writeln!(
        out,
        "look  information    upper  nominal p  alpha spent  crossed: no effect  as planned{}",
        headings(design)
    );
    for (number, look) in (1..).zip(&design.looks) {
        let beside = [look.futility, look.lower].into_iter().flatten();
        let beside: String = beside.map(|z| format!("{z:>10.4}")).collect();
        let _ = writeln!(
            out,
            "{number:>4}  {:>11.4} {:>8.4}  {:>9}  {:>11}  {:>18.5}  {:>10.4}{beside}",
            look.information,
            look.upper,
            short(look.nominal_p),
            short(look.alpha_spent),
            look.crossing.null,
            look.crossing.planned,
        );
    }
    let size = &design.sample_size;
    let _ = writeln!(out, "\ninflation over one look {:.4}", design.inflation);
    if let Some(total) = size.total {
        let _ = writeln!(out, "participants for a power of {}: {total}", size.power);
    }
    if let Some(events) = size.events {
        let _ = writeln!(out, "events in the two arms compared: {events}");
    }
    if let Some(planned) = size.planned {
        let _ = writeln!(out, "participants planned: {planned}");
    }
    if let (Some(accrual), Some(duration)) = (size.accrual_weeks, size.duration_weeks) {
        let _ = writeln!(
            out,
            "weeks until the last enrolment {accrual:.1}, until the last follow-up {duration:.1}"
        );
    }
    let _ = writeln!(
        out,
        "\n  of planned      effect     power  expected information  participants"
    );
    for point in &design.power {
        let effect = point.effect.map_or("-".into(), short);
        let expected = point
            .expected_size
            .map_or("-".into(), |size| format!("{size:.0}"));
        let _ = writeln!(
            out,
            "{:>12.3}  {effect:>10}  {:>8.4}  {:>20.4}  {expected:>12}",
            point.of_planned, point.power, point.expected_information
        );
    }
    if let Some(anew) = &design.reestimated {
        out.push_str(&reestimated(anew));
    }
    for warning in &design.warnings {
        let _ = writeln!(out, "! {warning}");
    }
    out
}

/// Columns that only some designs have.
fn headings(design: &Design) -> String {
    let any = |of: fn(&crate::analysis::design::Look) -> Option<f64>| {
        design.looks.iter().any(|l| of(l).is_some())
    };
    let mut text = String::new();
    if any(|look| look.futility) {
        text.push_str("  futility");
    }
    if any(|look| look.lower) {
        text.push_str("     lower");
    }
    text
}

/// The size by blinded interim data.
fn reestimated(anew: &Reestimated) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "\nComputed anew from {} participants with a value ({} without), arms not looked at, data {}",
        anew.n, anew.missing, anew.data
    );
    let pooled = &anew.pooled;
    let _ = writeln!(
        out,
        "  pooled {}: {} (95% CI {} to {})",
        pooled.of.replace('_', " "),
        short(pooled.value),
        short(pooled.lower),
        short(pooled.upper)
    );
    let told = [
        ("control arm", anew.assume.control),
        (
            "standard deviation within arms",
            anew.assume.standard_deviation,
        ),
        ("dispersion", anew.assume.dispersion),
        ("effect, as assumed", anew.assume.effect),
    ];
    for (name, value) in told {
        if let Some(value) = value {
            let _ = writeln!(out, "  {name}: {}", short(value));
        }
    }
    if let Some(total) = anew.sample_size.total {
        let _ = writeln!(
            out,
            "  participants for a power of {}: {total}{}",
            anew.sample_size.power,
            match anew.total_at_limits {
                [Some(low), Some(high)] =>
                    format!(" ({} to {} at those limits)", low.min(high), low.max(high)),
                _ => String::new(),
            }
        );
    }
    for warning in &anew.warnings {
        let _ = writeln!(out, "  ! {warning}");
    }
    out
}

/// The boundaries over the information, and the power over the effect, side by side.
pub fn design_svg(design: &Design) -> Result<String, String> {
    let mut svg = String::new();
    draw(design, &mut svg).map_err(|fault| fault.to_string())?;
    Ok(svg)
}

fn draw(design: &Design, svg: &mut String) -> Result<(), Box<dyn std::error::Error>> {
    let root = SVGBackend::with_string(svg, (1_000, 420)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(500);
    boundaries(design, &left)?;
    power(design, &right)?;
    root.present()?;
    Ok(())
}

type Area<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Blue and orange of Okabe and Ito, which everybody tells apart.
const FIRST: RGBColor = RGBColor(0, 114, 178);
const SECOND: RGBColor = RGBColor(230, 159, 0);

fn boundaries(design: &Design, area: &Area) -> Result<(), Box<dyn std::error::Error>> {
    let highest = design
        .looks
        .iter()
        .map(|look| look.upper)
        .fold(2.5, f64::max)
        * 1.1;
    let lows = design
        .looks
        .iter()
        .flat_map(|look| [look.lower, look.futility])
        .flatten();
    let lowest = lows.fold(0.0, f64::min) * 1.1;
    let mut chart = ChartBuilder::on(area)
        .caption("Boundaries", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.02, lowest..highest)?;
    chart
        .configure_mesh()
        .x_desc("information")
        .y_desc("z")
        .light_line_style(WHITE.mix(0.0))
        .draw()?;
    let mut line =
        |values: Vec<(f64, f64)>, colour: RGBColor| -> Result<(), Box<dyn std::error::Error>> {
            chart.draw_series(LineSeries::new(values.clone(), colour.stroke_width(2)))?;
            let points = values
                .into_iter()
                .map(|at| Circle::new(at, 4, colour.filled()));
            chart.draw_series(points)?;
            Ok(())
        };
    let at = |value: fn(&crate::analysis::design::Look) -> Option<f64>| -> Vec<(f64, f64)> {
        let looks = design.looks.iter();
        looks
            .filter_map(|look| Some((look.information, value(look)?)))
            .collect()
    };
    line(at(|look| Some(look.upper)), FIRST)?;
    line(at(|look| look.lower), FIRST)?;
    line(at(|look| look.futility), SECOND)
}

fn power(design: &Design, area: &Area) -> Result<(), Box<dyn std::error::Error>> {
    let mut chart = ChartBuilder::on(area)
        .caption(
            "Power, and expected information (orange)",
            ("sans-serif", 18),
        )
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(48)
        .build_cartesian_2d(0.0..1.5, 0.0..1.0)?;
    chart
        .configure_mesh()
        .x_desc("effect, as a multiple of the planned one")
        .light_line_style(WHITE.mix(0.0))
        .draw()?;
    let points = design.power.iter();
    chart.draw_series(LineSeries::new(
        points.clone().map(|point| (point.of_planned, point.power)),
        FIRST.stroke_width(2),
    ))?;
    chart.draw_series(LineSeries::new(
        points.map(|point| (point.of_planned, point.expected_information)),
        SECOND.stroke_width(2),
    ))?;
    Ok(())
}
