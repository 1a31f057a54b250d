//! Who we are: roles that are taken on, and accounts in which nothing is done.

use serde_json::{Value, json};
use tideform_aws_testserver::{AwsServer, Fault, FaultProxy};
use tideform_provider::{Provider, ProviderError};

use crate::support::{Cloud, Done, asg, failure, run};

/// The AssumeRole calls of an account.
fn assumed(cloud: &Cloud) -> Vec<Value> {
    let log = cloud.account.log();
    log.into_iter()
        .filter(|call| call["op"] == "AssumeRole")
        .collect()
}

#[test]
fn a_role_is_taken_on_and_everything_is_done_in_its_account() -> Done {
    run(async {
        let theirs = AwsServer::shared().account();
        theirs
            .seed_groups(json!({ "count": 1, "prefix": "web", "group": { "DesiredCapacity": 2 } }));
        let role = format!("arn:aws:iam::{}:role/scaler", theirs.id());
        for (more, session, external) in [
            (json!({}), "tideform", Value::Null),
            (
                json!({ "external_id": "shop-7", "session_name": "nightly" }),
                "nightly",
                json!("shop-7"),
            ),
        ] {
            let mut settings = json!({ "assume_role": role, "allowed_account_ids": [theirs.id()] });
            if let (Some(all), Value::Object(more)) = (settings.as_object_mut(), more) {
                all.extend(more);
            }
            let cloud = Cloud::with_settings(settings)?;
            assert_eq!(cloud.provider.identity().await?.account, theirs.id());
            assert_eq!(cloud.live("web-00001").await?.desired, 2);
            let calls = assumed(&cloud);
            let [call] = calls.as_slice() else {
                return Err(format!("once, and not {calls:?}").into());
            };
            assert_eq!(call["params"]["RoleArn"], json!(role));
            assert_eq!(call["params"]["RoleSessionName"], json!(session));
            assert_eq!(call["params"]["ExternalId"], external);
            // With the first credentials nothing else is done.
            assert_eq!(cloud.account.log().len(), 1, "{:?}", cloud.account.log());
            cloud.no_violations()?;
        }
        Ok(())
    })
}

#[test]
fn a_role_that_may_not_be_taken_on_is_said_with_its_permission() -> Done {
    run(async {
        let role = "arn:aws:iam::123456789012:role/scaler";
        let cloud = Cloud::with_settings(json!({ "assume_role": role }))?;
        cloud.account.allow(Some(&["autoscaling:*"]));
        let error = failure(cloud.provider.identity().await)?;
        assert!(matches!(error, ProviderError::Denied { .. }), "{error}");
        let said = error.to_string();
        for part in ["`sts:AssumeRole`", "may not be taken on", "trust policy"] {
            assert!(said.contains(part), "{said}");
        }
        Ok(())
    })
}

#[test]
fn a_role_that_cannot_be_fetched_just_now_is_asked_for_again() -> Done {
    run(async {
        let theirs = AwsServer::shared().account();
        let role = format!("arn:aws:iam::{}:role/scaler", theirs.id());
        let proxy = FaultProxy::start(AwsServer::shared());
        let settings = json!({
            "assume_role": role, "endpoint_url": proxy.url(), "timeout": "1s", "max_attempts": 1,
        });
        for fault in [Fault::HangBefore, Fault::CutBefore, Fault::Page] {
            let cloud = Cloud::with_settings(settings.clone())?;
            proxy.spoil("AssumeRole", "", fault.clone());
            let error = failure(cloud.provider.identity().await)?;
            assert!(error.is_transient(), "{fault:?}: {error}");
            assert_eq!(
                cloud.provider.identity().await?.account,
                theirs.id(),
                "{fault:?}"
            );
        }
        Ok(())
    })
}

#[test]
fn nothing_is_asked_in_an_account_that_is_not_allowed() -> Done {
    run(async {
        let cloud = Cloud::with_settings(json!({ "allowed_account_ids": ["999999999999"] }))?;
        for error in [
            failure(cloud.provider.identity().await)?,
            failure(cloud.provider.set_desired(&asg("web-00001"), 4).await)?,
        ] {
            assert!(
                matches!(error, ProviderError::Configuration { .. }),
                "{error}"
            );
            let said = error.to_string();
            assert!(
                said.contains(cloud.account.id()) && said.contains("999999999999"),
                "{said}"
            );
        }
        let asked = cloud.account.actions();
        assert_eq!(
            asked.into_iter().collect::<Vec<_>>(),
            ["sts:GetCallerIdentity"]
        );
        Ok(())
    })
}
