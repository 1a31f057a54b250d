//! Where the traffic of a group comes from: its target group and that one's load balancer.

use std::collections::BTreeMap;

use tideform_provider::{LiveGroup, ProviderError};

use crate::client::Clients;
use crate::error::describe;

const REQUEST: &str = "elasticloadbalancing:DescribeTargetGroups";

/// A target group and its load balancer, as CloudWatch's dimensions name them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// `targetgroup/web/73e2d6bc24d8a067`.
    pub(crate) group: String,
    /// `app/shop/50dc6c495c0c9188`; none yet for a target group that no listener uses.
    pub(crate) balancer: Option<String>,
}

impl Target {
    /// The dimensions of its metrics.
    pub(crate) fn dimensions(&self) -> BTreeMap<String, String> {
        let mut dimensions = BTreeMap::from([("TargetGroup".to_owned(), self.group.clone())]);
        if let Some(balancer) = &self.balancer {
            dimensions.insert("LoadBalancer".to_owned(), balancer.clone());
        }
        dimensions
    }
}

/// The part of an ARN that CloudWatch uses: what follows the last colon, for a load balancer without its first word.
fn dimension(arn: &str) -> Option<String> {
    let (_, tail) = arn.rsplit_once(':')?;
    Some(
        tail.strip_prefix("loadbalancer/")
            .unwrap_or(tail)
            .to_owned(),
    )
}

/// The first target group of a group as it is.
pub(crate) fn arn(live: Option<&LiveGroup>) -> Option<String> {
    live?
        .attributes
        .launch
        .get("target_groups")?
        .as_array()?
        .first()?
        .as_str()
        .map(str::to_owned)
}

/// Looks target groups up, by ARN.
///
/// # Errors
/// What the call said.
pub(crate) async fn targets(
    clients: &Clients,
    arns: &[String],
) -> Result<BTreeMap<String, Target>, ProviderError> {
    let mut found = BTreeMap::new();
    // Most ARNs of one call. Source: Elastic Load Balancing API, DescribeTargetGroups.
    for arns in arns.chunks(20) {
        let answer = clients
            .elb
            .describe_target_groups()
            .set_target_group_arns(Some(arns.to_vec()))
            .send()
            .await
            .map_err(|error| describe(REQUEST, error))?;
        for group in answer.target_groups() {
            let Some(arn) = group.target_group_arn() else {
                continue;
            };
            let Some(name) = dimension(arn) else { continue };
            let target = Target {
                group: name,
                balancer: group
                    .load_balancer_arns()
                    .first()
                    .and_then(|arn| dimension(arn)),
            };
            found.insert(arn.to_owned(), target);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_are_the_tails_of_arns() {
        let of = |arn| dimension(arn).unwrap();
        assert_eq!(
            of(
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/web/73e2d6bc24d8a067"
            ),
            "targetgroup/web/73e2d6bc24d8a067"
        );
        assert_eq!(
            of(
                "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/shop/50dc6c495c0c9188"
            ),
            "app/shop/50dc6c495c0c9188"
        );
    }
}
