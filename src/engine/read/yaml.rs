//! YAML 1.2: the parser's events, put together to a tree.

use super::build::{Builder, Stop};
use super::yaml_errors;
use crate::model::{Code, Place};
use granit_parser::{Event, Parser, ScalarStyle, Span};

/// Reads the one document of a file.
pub(super) fn read(text: &str, builder: &mut Builder<'_>) -> Result<(), Stop> {
    let options = granit_parser::options! {
        emit_comments: false,
        emit_unresolved_aliases: true,
        // the builder counts lists and maps together and stops first
        flow_nesting_limit: builder.limits.depth.saturating_add(1),
        block_nesting_limit: builder.limits.depth.saturating_add(1),
    };
    let mut documents = 0;
    for next in Parser::new_from_str_with_options(text, options) {
        let (event, span) = match next {
            Ok(next) => next,
            Err(error) => return Err(yaml_errors::report(&error, text, builder)),
        };
        if let Event::DocumentStart(..) = event {
            documents += 1;
        }
        if documents > 1 {
            let place = place_of(&span, text, builder);
            let remedy = "write each document into its own file";
            builder.found.error_with(Code::Syntax, place, "a second document in one file", remedy);
            return Err(Stop);
        }
        node(event, &span, text, builder)?;
    }
    Ok(())
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest are borders of the stream and the document")]
fn node(event: Event<'_>, span: &Span, text: &str, builder: &mut Builder<'_>) -> Result<(), Stop> {
    refuse_tag(&event, span, builder);
    match event {
        Event::Scalar(value, style, anchor, _) => {
            let place = place_of(span, text, builder);
            match style {
                // nothing at all reads as `~`, and messages tell the two apart
                ScalarStyle::Plain if span.is_empty() => builder.plain("", place, anchor),
                ScalarStyle::Plain => builder.plain(&value, place, anchor),
                ScalarStyle::SingleQuoted
                | ScalarStyle::DoubleQuoted
                | ScalarStyle::Literal
                | ScalarStyle::Folded => builder.text(&value, place, anchor),
            }
        }
        Event::SequenceStart(_, anchor, _) => builder.open(false, start_of(span, builder), anchor),
        Event::MappingStart(_, anchor, _) => builder.open(true, start_of(span, builder), anchor),
        Event::SequenceEnd | Event::MappingEnd => builder.close(),
        Event::Alias(id) => builder.alias(id, place_of(span, text, builder)),
        Event::UnresolvedAlias(name) => {
            let place = place_of(span, text, builder);
            let message = format!("no anchor {} stands before it", super::shown(&name));
            let remedy = "define it above, or quote a text that starts with `*`";
            builder.found.error_with(Code::Syntax, place, message, remedy);
            Err(Stop)
        }
        _ => Ok(()),
    }
}

/// Types come from the format, never from tags: a tag could only contradict it.
fn refuse_tag(event: &Event<'_>, span: &Span, builder: &mut Builder<'_>) {
    let Some(tag) = event.tag() else { return };
    let start = span.tag_start().unwrap_or(span.start);
    let length = span.tag_span().map_or(1, |t| t.end.index().saturating_sub(t.start.index()));
    let place = builder.place(start.line(), start.col() + 1, length);
    let message = format!("the tag {}", super::shown(&tag.original()));
    let remedy = "remove it; quote a text that starts with `!`";
    builder.found.error_with(Code::Syntax, place, message, remedy);
}

fn start_of(span: &Span, builder: &Builder<'_>) -> Place {
    builder.place(span.start.line(), span.start.col() + 1, 1)
}

/// The place of a scalar; of one that spans lines, what stands on the first.
fn place_of(span: &Span, text: &str, builder: &Builder<'_>) -> Place {
    let (start, end) = (span.start, span.end);
    let length = if start.line() == end.line() {
        end.index().saturating_sub(start.index())
    } else {
        let rest = start.byte_offset().and_then(|at| text.get(at..)).unwrap_or_default();
        rest.lines().next().map_or(1, |line| line.trim_end().chars().count())
    };
    builder.place(start.line(), start.col() + 1, length)
}

/// The one quoted scalar that a text is, if it is one.
#[expect(clippy::wildcard_enum_match_arm, reason = "anything else is no quoted scalar")]
pub(super) fn quoted(text: &str) -> Option<String> {
    let mut scalar = None;
    for next in Parser::new_from_str(text) {
        match next.ok()?.0 {
            Event::Scalar(value, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted, 0, None)
                if scalar.is_none() =>
            {
                scalar = Some(value.into_owned())
            }
            Event::StreamStart | Event::StreamEnd | Event::DocumentStart(false, _) | Event::DocumentEnd => {}
            _ => return None,
        }
    }
    scalar
}
