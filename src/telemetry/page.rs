//! The page of a scrape, in Prometheus' text format or as OpenMetrics.
//!
//! Most of it comes from the exporter of the `metrics` crate. Three things it cannot carry: its
//! histograms keep one entry for each sample until somebody scrapes, which a million decisions a
//! second do not allow; its series stay for ever, while a guardrail that is gone must not be shown;
//! and it knows no exemplars. Those are added here, and all is written by one table.

use std::collections::BTreeMap;
use std::fmt::{Arguments, Write as _};

use super::decisions::{BOUNDS, BUCKETS, Sums};
use super::exemplar::Exemplar;
use super::metrics::{DECISION_DURATION, Kind, METRICS, Metric};

/// How a page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Prometheus' text format.
    Text,
    /// OpenMetrics 1.0, which has exemplars.
    OpenMetrics,
}

/// What a scrape gets.
#[derive(Debug, Default)]
pub struct Page {
    durations: Sums,
    exemplars: [Option<Exemplar>; BUCKETS],
    /// The lines of each metric by its name.
    lines: BTreeMap<String, String>,
}

impl Format {
    /// What to answer to this `Accept` header: OpenMetrics where it is wanted at least as much.
    #[must_use]
    pub fn wanted(accept: &str) -> Self {
        let (mut open, mut text) = (0.0_f64, 0.0_f64);
        for wish in accept.split(',').take(64) {
            let mut parts = wish.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default();
            let quality = parts.find_map(|part| part.strip_prefix("q=")).map_or(Ok(1.0), str::parse);
            let quality = quality.unwrap_or(0.0);
            match kind.to_ascii_lowercase().as_str() {
                "application/openmetrics-text" => open = open.max(quality),
                "text/plain" | "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Text }
    }

    /// The `Content-Type` of such a page.
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }
}

impl Page {
    /// Adds decisions and how long they took, with a decision of each bucket.
    pub fn add_durations(&mut self, sums: &Sums, exemplars: &[Option<Exemplar>; BUCKETS]) {
        self.durations.add(sums);
        for (own, other) in self.exemplars.iter_mut().zip(exemplars) {
            *own = Exemplar::better(*own, *other);
        }
    }

    /// Adds one value of a metric of the table, which is gone with the next scrape unless it is added
    /// again.
    pub fn add(&mut self, name: &'static str, labels: &[(&str, &str)], value: f64) {
        if !self.lines.contains_key(name) {
            self.lines.insert(name.to_owned(), String::new());
        }
        let Some(lines) = self.lines.get_mut(name) else { return };
        lines.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            put(lines, format_args!("{open}{label}=\"{}\"", escaped(text)));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        put(lines, format_args!("{close} {value}\n"));
    }

    /// Adds what the exporter wrote.
    pub(super) fn take_in(&mut self, text: &str) {
        let mut lines = &mut String::new();
        for line in text.lines() {
            if let Some(head) = line.strip_prefix("# TYPE ") {
                let name = head.split(' ').next().unwrap_or_default();
                lines = self.lines.entry(name.to_owned()).or_default();
            } else if !line.starts_with('#') && !line.is_empty() {
                put(lines, format_args!("{line}\n"));
            }
        }
    }

    /// The whole page.
    #[must_use]
    pub fn render(&self, format: Format) -> String {
        let mut text =
            String::with_capacity(self.lines.values().map(String::len).sum::<usize>() + (32 << 10));
        let mut metrics: Vec<&Metric> = METRICS.iter().collect();
        metrics.sort_unstable_by_key(|metric| metric.name);
        for metric in metrics {
            head(&mut text, metric, format);
            let lines = self.lines.get(metric.name).map_or("", String::as_str);
            text.push_str(lines);
            if metric.kind == Kind::Counter {
                fill_with_zeroes(&mut text, metric, lines);
            }
            if metric.name == DECISION_DURATION {
                self.put_durations(&mut text, format);
            }
        }
        if format == Format::OpenMetrics {
            text.push_str("# EOF\n");
        }
        text
    }

    fn put_durations(&self, text: &mut String, format: Format) {
        let name = DECISION_DURATION;
        let mut count = 0;
        let bounds = BOUNDS.iter().map(|bound| seconds(*bound).to_string()).chain(["+Inf".to_owned()]);
        for ((le, in_bucket), exemplar) in bounds.zip(&self.durations.buckets).zip(&self.exemplars) {
            count += in_bucket;
            put(text, format_args!("{name}_bucket{{le=\"{le}\"}} {count}"));
            if let (Format::OpenMetrics, Some(exemplar)) = (format, exemplar) {
                put(text, format_args!(" # {exemplar}"));
            }
            text.push('\n');
        }
        put(text, format_args!("{name}_sum {}\n", seconds(self.durations.nanos)));
        put(text, format_args!("{name}_count {count}\n"));
    }
}

fn head(text: &mut String, metric: &Metric, format: Format) {
    let (kind, help) = (metric.kind.name(), escaped_help(&metric.about()));
    match format {
        Format::Text => {
            let name = metric.name;
            put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
        }
        Format::OpenMetrics => {
            // There a counter's name is that of its series without the end.
            let name = metric.name.strip_suffix("_total").unwrap_or(metric.name);
            put(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
            if let Some(unit) = metric.unit() {
                put(text, format_args!("# UNIT {name} {unit}\n"));
            }
        }
    }
}

/// A series that is missing and one that stands at zero are different alarms.
fn fill_with_zeroes(text: &mut String, metric: &Metric, lines: &str) {
    for series in metric.known_series().into_iter().flatten() {
        let series = format!("{}{series} ", metric.name);
        if !lines.lines().any(|line| line.starts_with(&series)) {
            put(text, format_args!("{series}0\n"));
        }
    }
}

fn put(text: &mut String, what: Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = text.write_fmt(what);
}

pub(super) fn seconds(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
    let nanos = nanos as f64;
    nanos / 1e9
}

fn escaped_help(help: &str) -> String {
    help.replace('\\', "\\\\").replace('\n', "\\n")
}

fn escaped(label: &str) -> std::borrow::Cow<'_, str> {
    if label.contains(['\\', '"', '\n']) {
        label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").into()
    } else {
        label.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::metrics::{BUNDLE_INFO, OUTCOMES, REPORTS};

    #[test]
    fn buckets_add_up_and_labels_are_escaped() {
        let mut sums = Sums::default();
        sums.nanos = 1_500;
        sums.buckets[0] = 2;
        sums.buckets[BOUNDS.len()] = 1;
        let mut page = Page::default();
        page.add_durations(&sums, &[None; BUCKETS]);
        page.add_durations(&sums, &[None; BUCKETS]);
        page.add(BUNDLE_INFO, &[("version", "1.0.0+\"x\""), ("digest", "sha256:00"), ("arm", "STABLE")], 1.0);
        let text = page.render(Format::Text);
        for want in [
            r#"tollgate_bundle_info{version="1.0.0+\"x\"",digest="sha256:00",arm="STABLE"} 1"#,
            r#"tollgate_decision_duration_seconds_bucket{le="0.000001"} 4"#,
            r#"tollgate_decision_duration_seconds_bucket{le="1"} 4"#,
            r#"tollgate_decision_duration_seconds_bucket{le="+Inf"} 6"#,
            "tollgate_decision_duration_seconds_sum 0.000003",
            "tollgate_decision_duration_seconds_count 6",
        ] {
            assert!(text.lines().any(|line| line == want), "{want}\n{text}");
        }
    }

    #[test]
    fn what_the_exporter_wrote_is_completed_and_each_series_is_there_once() {
        let mut page = Page::default();
        page.take_in(
            "# TYPE tollgate_reports_total counter\ntollgate_reports_total{result=\"APPLIED\"} 3\n\n\
             # HELP x y\n# TYPE tollgate_outcomes_total counter\n\
             tollgate_outcomes_total{arm=\"STABLE\",status=\"FAILURE\"} 2\n",
        );
        let text = page.render(Format::Text);
        for (name, want) in [
            (
                REPORTS,
                r#"{result="APPLIED"} 3 {result="DUPLICATE"} 0 {result="RENEWED"} 0 {result="UNKNOWN"} 0"#,
            ),
            (
                OUTCOMES,
                r#"{arm="STABLE",status="FAILURE"} 2 {arm="STABLE",status="SUCCESS"} 0 {arm="STABLE",status="CANCELLED"} 0"#,
            ),
        ] {
            let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix(name)).collect();
            assert_eq!(lines.join(" "), want);
        }
    }

    #[test]
    fn open_metrics_has_units_exemplars_and_an_end() {
        let mut page = Page::default();
        let (mut sums, mut exemplars) = (Sums::default(), [None; BUCKETS]);
        sums.buckets[0] = 1;
        exemplars[0] = Some(Exemplar { nanos: 900, at: 1_500_000_000, decision: 1, trace: 2 });
        page.add_durations(&sums, &exemplars);
        let text = page.render(Format::OpenMetrics);
        for want in [
            "# TYPE tollgate_reports counter",
            "tollgate_reports_total{result=\"APPLIED\"} 0",
            "# UNIT tollgate_decision_duration_seconds seconds",
            "tollgate_decision_duration_seconds_bucket{le=\"0.000001\"} 1 # \
             {trace_id=\"00000000000000000000000000000002\",\
             decision_id=\"00000000-0000-0000-0000-000000000001\"} 0.0000009 1.500",
        ] {
            assert!(text.lines().any(|line| line == want), "{want}\n{text}");
        }
        assert!(text.ends_with("\n# EOF\n") && !text.contains("\n\n"), "{text}");
        assert!(!page.render(Format::Text).contains(" # {"));
    }

    #[test]
    fn who_asks_for_open_metrics_gets_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
                          application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, want) in [
            (prometheus, Format::OpenMetrics),
            ("", Format::Text),
            ("*/*", Format::Text),
            ("text/plain;version=0.0.4", Format::Text),
            ("text/plain, application/openmetrics-text;q=0.5", Format::Text),
            ("application/openmetrics-text;q=0", Format::Text),
            ("application/openmetrics-text;q=x", Format::Text),
        ] {
            assert_eq!(Format::wanted(accept), want, "{accept}");
        }
    }
}
