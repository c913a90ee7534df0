//! Small documents that callers and operators write: requests, selectors of stops, files of approvers' keys.

use tollgate_engine::read::request::{RequestBounds, read};
use tollgate_engine::read::{SourceFile, selector};
use tollgate_engine::sign::Approvers;

use crate::places;

pub(crate) fn run(input: &[u8]) {
    for name in ["request.yaml", "request.json"] {
        let file = SourceFile { name, bytes: input };
        let reading = read(&file, &RequestBounds::default());
        places::check(&reading.findings, &[file]);
        assert!(reading.request.is_some() || !reading.findings.is_empty(), "no request, and no reason why");
        if let Some(document) = reading.request {
            assert!(!document.request().action.name.is_empty(), "a request asks for something");
        }
    }
    let file = SourceFile { name: "approvers.yaml", bytes: input };
    let (approvers, findings) = Approvers::read(&file);
    places::check(&findings, &[file]);
    assert!(
        approvers.is_some_and(|all| !all.is_empty()) || !findings.is_empty(),
        "no keys, and no reason why"
    );
    if let Ok(text) = std::str::from_utf8(input)
        && let Err(findings) = selector(text)
    {
        assert!(!findings.is_empty(), "no selector, and no reason why");
        places::check(&findings, &[SourceFile { name: "selector", bytes: input }]);
    }
}
