//! The part of a scrape that the exporter cannot carry.
//!
//! Its histograms keep one entry for each sample until somebody scrapes, which a million
//! decisions a second do not allow; and its gauges stay for ever, while a bundle that is gone
//! must not be shown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::decisions::{BOUNDS, Sums};
use super::metrics::{BUNDLE_INFO, DECISION_DURATION};

/// What is written below the exporter's own series.
#[derive(Debug, Default)]
pub struct Page {
    durations: Sums,
    bundles: Vec<BundleInfo>,
    series: BTreeMap<&'static str, Series>,
}

/// The lines of one metric.
#[derive(Debug)]
struct Series {
    kind: &'static str,
    help: &'static str,
    lines: Vec<String>,
}

/// A metric whose series come and go.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// `counter` or `gauge`.
    pub kind: &'static str,
    /// What it says.
    pub help: &'static str,
}

/// The labels of the bundle that serves.
#[derive(Debug)]
pub struct BundleInfo {
    /// Its semantic version.
    pub version: String,
    /// Its digest.
    pub digest: String,
    /// The arm that it serves.
    pub arm: &'static str,
}

impl Page {
    /// Adds decisions and how long they took.
    pub fn add_durations(&mut self, sums: &Sums) {
        self.durations.add(sums);
    }

    /// Adds a bundle that serves.
    pub fn add_bundle(&mut self, bundle: BundleInfo) {
        self.bundles.push(bundle);
    }

    /// Adds one value of a counter or a gauge, which is gone with the next scrape unless it is
    /// added again.
    pub fn add(&mut self, metric: &Metric, labels: &[(&str, &str)], value: f64) {
        let Metric { name, kind, help } = *metric;
        let mut line = String::from(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let open = if at == 0 { '{' } else { ',' };
            // Writing to a string cannot fail.
            let _ = write!(line, "{open}{label}=\"{}\"", escaped(text));
        }
        let close = if labels.is_empty() { "" } else { "}" };
        let _ = write!(line, "{close} {value}");
        let series = self.series.entry(name).or_insert(Series { kind, help, lines: Vec::new() });
        series.lines.push(line);
    }

    /// Writes everything, in Prometheus' text format.
    pub fn append_to(&self, text: &mut String) {
        self.append_bundles(text);
        self.append_durations(text);
        for (name, series) in &self.series {
            head(text, name, series.kind, series.help);
            series.lines.iter().for_each(|own| line(text, format_args!("{own}")));
            text.push('\n');
        }
    }

    fn append_bundles(&self, text: &mut String) {
        head(text, BUNDLE_INFO, "gauge", "The bundle that serves");
        for bundle in &self.bundles {
            let (version, digest) = (escaped(&bundle.version), escaped(&bundle.digest));
            let arm = bundle.arm;
            line(
                text,
                format_args!("{BUNDLE_INFO}{{version=\"{version}\",digest=\"{digest}\",arm=\"{arm}\"}} 1"),
            );
        }
        text.push('\n');
    }

    fn append_durations(&self, text: &mut String) {
        let name = DECISION_DURATION;
        head(text, name, "histogram", "How long decisions took, without network and codec");
        let mut count = 0;
        for (bound, in_bucket) in BOUNDS.iter().zip(&self.durations.buckets) {
            count += in_bucket;
            let le = seconds(*bound);
            line(text, format_args!("{name}_bucket{{le=\"{le}\"}} {count}"));
        }
        count += self.durations.buckets[BOUNDS.len()];
        line(text, format_args!("{name}_bucket{{le=\"+Inf\"}} {count}"));
        line(text, format_args!("{name}_sum {}", seconds(self.durations.nanos)));
        line(text, format_args!("{name}_count {count}\n"));
    }
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    line(text, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}"));
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

fn seconds(nanos: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "the text format carries doubles")]
    let nanos = nanos as f64;
    nanos / 1e9
}

fn escaped(label: &str) -> String {
    label.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_add_up_and_labels_are_escaped() {
        let mut sums = Sums::default();
        sums.nanos = 1_500;
        sums.buckets[0] = 2;
        sums.buckets[BOUNDS.len()] = 1;
        let mut page = Page::default();
        page.add_durations(&sums);
        page.add_durations(&sums);
        page.add_bundle(BundleInfo {
            version: "1.0.0+\"x\"".into(),
            digest: "sha256:00".into(),
            arm: "STABLE",
        });
        let mut text = String::new();
        page.append_to(&mut text);
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
}
