//! Looks that an answer is AWS's, and whole. It changes nothing.
//!
//! Most writes answer nothing but that they were done, so the SDK reads no further than HTTP 200: half an answer, or a
//! page of some proxy, would be taken for AWS's word. Of an answer to a read it takes what there is: half a list of
//! policies would look as if the others had been removed.

use aws_smithy_cbor::Decoder;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::AfterDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// For clients of the query and EC2 protocols, whose answers are XML and end with the closing tag of
/// `<Operation>Response`.
#[derive(Debug)]
pub(crate) struct WholeXml;

#[dyn_dispatch_hint]
impl Intercept for WholeXml {
    fn name(&self) -> &'static str {
        "WholeXml"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        if !response.status().is_success() || response.body().bytes().is_some_and(is_whole_xml) {
            return Ok(());
        }
        Err(NOT_WHOLE.into())
    }
}

/// For clients of the protocol rpc-v2-cbor, whose answers say so in a header and are one map, or nothing.
#[derive(Debug)]
pub(crate) struct WholeCbor;

#[dyn_dispatch_hint]
impl Intercept for WholeCbor {
    fn name(&self) -> &'static str {
        "WholeCbor"
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let is_cbor = response.headers().get("smithy-protocol") == Some("rpc-v2-cbor");
        if !response.status().is_success()
            || is_cbor && response.body().bytes().is_some_and(is_whole_cbor)
        {
            return Ok(());
        }
        Err(NOT_WHOLE.into())
    }
}

const NOT_WHOLE: &str = "the answer is cut short, or is not AWS's";

fn is_whole_xml(body: &[u8]) -> bool {
    body.trim_ascii_end().ends_with(b"Response>")
}

/// Source: Smithy RPC v2 CBOR protocol, "Responses".
fn is_whole_cbor(body: &[u8]) -> bool {
    let Some(first) = body.first() else {
        // A write that answers nothing.
        return true;
    };
    let mut decoder = Decoder::new(body);
    let is_map = first >> 5 == 5;
    is_map && decoder.skip().is_ok() && decoder.position() == body.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_xml_answer_is_whole_with_its_last_tag() {
        let answer =
            b"<SetDesiredCapacityResponse><ResponseMetadata/></SetDesiredCapacityResponse>\n";
        assert!(is_whole_xml(answer));
        assert!(!is_whole_xml(&answer[..40]));
        assert!(!is_whole_xml(b"<html>Log in</html>"));
        assert!(!is_whole_xml(b""));
    }

    #[test]
    fn a_cbor_answer_is_one_map_or_nothing() {
        // {"a": [1, "b"]}, with known lengths and with marked ends.
        for whole in [
            &b"\xa1\x61a\x82\x01\x61b"[..],
            b"\xbf\x61a\x9f\x01\x61b\xff\xff",
            b"\xa0",
            b"",
        ] {
            assert!(is_whole_cbor(whole), "{whole:?}");
            for end in 1..whole.len() {
                assert!(!is_whole_cbor(&whole[..end]), "{whole:?} to {end}");
            }
        }
        for wrong in [&b"<html></html>"[..], b"\xa0\xa0", b"\x01", b"\x82\x01\x02"] {
            assert!(!is_whole_cbor(wrong), "{wrong:?}");
        }
    }
}
