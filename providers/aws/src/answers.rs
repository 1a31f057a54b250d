//! Looks that an answer to a write is AWS's, and whole. It changes nothing.
//!
//! Most writes answer nothing but that they were done, so the SDK reads no further than HTTP 200: half an answer, or a
//! page of some proxy, would be taken for AWS's word.

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// For clients of the query protocol, whose answers are XML and end with the closing tag of `<Operation>Response`.
#[derive(Debug)]
pub(crate) struct WholeAnswers;

#[dyn_dispatch_hint]
impl Intercept for WholeAnswers {
    fn name(&self) -> &'static str {
        "WholeAnswers"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() || response.body().bytes().is_some_and(is_whole) {
            return Ok(());
        }
        Err("the answer is cut short, or is not AWS's".into())
    }
}

fn is_whole(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"Response>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_with_its_last_tag() {
        let answer =
            b"<SetDesiredCapacityResponse><ResponseMetadata/></SetDesiredCapacityResponse>\n";
        assert!(is_whole(answer));
        assert!(!is_whole(&answer[..40]));
        assert!(!is_whole(b"<html>Log in</html>"));
        assert!(!is_whole(b""));
    }
}
