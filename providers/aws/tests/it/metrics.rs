//! Reading metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use tideform_policies::model::{MetricQuery, Statistic};
use tideform_provider::{MetricRequest, Provider, ProviderError};

use crate::support::{Cloud, Done, asg, at, failure, run};

/// Noon of the tests' day, in Unix seconds.
const NOON: i64 = 1_772_452_800;

fn cloud() -> Done<Cloud> {
    let cloud = Cloud::with_group(json!({ "MinSize": 1 }))?;
    cloud.account.stop_clock("2026-03-02T12:00:30Z");
    Ok(cloud)
}

fn query(name: &str, namespace: Option<&str>, dimensions: &[(&str, &str)]) -> MetricQuery {
    let dimensions: BTreeMap<String, String> = dimensions
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    MetricQuery {
        provider: None,
        name: name.to_owned(),
        namespace: namespace.map(str::to_owned),
        dimensions,
        query: None,
    }
}

/// The ten minutes up to half a minute past noon.
fn request(query: MetricQuery, statistic: Statistic) -> Done<MetricRequest> {
    Ok(MetricRequest {
        resource: Some(asg("web-00001")),
        query,
        statistic,
        period: Duration::from_secs(60),
        from: at("2026-03-02T11:50:00Z")?,
        to: at("2026-03-02T12:00:30Z")?,
        per_instance: false,
    })
}

/// The samples, each as seconds from noon and value.
async fn samples(cloud: &Cloud, request: MetricRequest) -> Done<Vec<(i64, f64)>> {
    let answer = cloud.provider.read_metrics(&[request]).await.remove(0)?;
    Ok(answer
        .samples
        .iter()
        .map(|sample| (sample.at.as_second() - NOON, sample.value))
        .collect())
}

#[test]
fn values_are_dated_by_the_end_of_their_period_and_an_open_one_is_left_out() -> Done {
    run(async {
        let cloud = cloud()?;
        assert_eq!(at("2026-03-02T12:00:00Z")?.as_second(), NOON);
        cloud.account.metrics(json!([{
            "namespace": "AWS/EC2", "name": "CPUUtilization",
            "dimensions": { "AutoScalingGroupName": "web-00001" },
            "points": [[NOON - 120, 40.0], [NOON - 90, 60.0], [NOON - 60, 70.0], [NOON, 99.0]],
        }]));
        let cpu = || request(query("cpu", None, &[]), Statistic::Average);
        assert_eq!(samples(&cloud, cpu()?).await?, [(-60, 50.0), (0, 70.0)]);
        let mut highest = cpu()?;
        highest.statistic = Statistic::Maximum;
        assert_eq!(samples(&cloud, highest).await?, [(-60, 60.0), (0, 70.0)]);
        // The beginning is not part of the time that is asked for: that sample was read before.
        let mut since = cpu()?;
        since.from = at("2026-03-02T11:59:00Z")?;
        assert_eq!(samples(&cloud, since).await?, [(0, 70.0)]);
        cloud.no_violations()
    })
}

#[test]
fn percentiles_and_rates_are_of_the_period() -> Done {
    run(async {
        let cloud = cloud()?;
        let points: Vec<Value> = (1..=101)
            .map(|n| json!([NOON - 60, f64::from(n)]))
            .collect();
        cloud.account.metrics(json!([{
            "namespace": "Shop", "name": "wait", "dimensions": { "Service": "web" }, "points": points,
        }]));
        let wait = || query("wait", Some("Shop"), &[("Service", "web")]);
        for (statistic, value) in [
            (Statistic::Percentile(90.0), 91.0),
            (Statistic::Percentile(99.5), 100.5),
            (Statistic::Sum, 5151.0),
            (Statistic::Rate, 85.85),
            (Statistic::Minimum, 1.0),
        ] {
            let read = samples(&cloud, request(wait(), statistic)?).await?;
            let [(0, found)] = read.as_slice() else {
                return Err(format!("{statistic:?}: {read:?}").into());
            };
            assert!((found - value).abs() < 1e-6, "{statistic:?}: {found}");
        }
        cloud.no_violations()
    })
}

#[test]
fn what_a_load_balancer_measures_is_found_through_the_target_group() -> Done {
    run(async {
        let cloud = cloud()?;
        let base = cloud.base();
        let arn = base["target"].as_str().ok_or("no target group")?;
        cloud.account.boto3(&format!(
            "client('autoscaling').attach_load_balancer_target_groups(AutoScalingGroupName='web-00001', TargetGroupARNs=['{arn}'])"
        ));
        let tail = |name: &str, mark: &str| {
            let arn = base[name].as_str().unwrap_or_default();
            arn.split_once(mark)
                .map(|(_, tail)| tail.to_owned())
                .ok_or("no arn")
        };
        let dimensions = json!({
            "TargetGroup": format!("targetgroup/{}", tail("target", "targetgroup/")?),
            "LoadBalancer": tail("balancer", "loadbalancer/")?,
        });
        let series = |name: &str, points: Value| {
            json!({
                "namespace": "AWS/ApplicationELB", "name": name, "dimensions": dimensions, "points": points,
            })
        };
        cloud.account.metrics(json!([
            series(
                "RequestCount",
                json!([[NOON - 180, 300.0], [NOON - 120, 600.0]])
            ),
            series("HTTPCode_Target_5XX_Count", json!([[NOON - 120, 6.0]])),
            series("TargetResponseTime", json!([[NOON - 120, 0.25]])),
        ]));
        let read = async |name: &str| {
            samples(&cloud, request(query(name, None, &[]), Statistic::Average)?).await
        };
        assert_eq!(read("error_rate").await?, [(-120, 0.0), (-60, 1.0)]);
        assert_eq!(read("requests").await?, [(-120, 5.0), (-60, 10.0)]);
        assert_eq!(read("latency").await?, [(-60, 0.25)]);
        cloud.no_violations()
    })
}

#[test]
fn without_a_target_group_the_load_balancers_metrics_are_refused() -> Done {
    run(async {
        let cloud = cloud()?;
        let asked = request(query("latency", None, &[]), Statistic::Average)?;
        let error = failure(cloud.provider.read_metrics(&[asked]).await.remove(0))?;
        assert!(matches!(error, ProviderError::Refused { .. }), "{error}");
        assert!(error.to_string().contains("no target group"), "{error}");
        cloud.no_violations()
    })
}

#[test]
fn more_than_five_hundred_metrics_take_a_second_call_and_keep_their_order() -> Done {
    run(async {
        let cloud = cloud()?;
        let series: Vec<Value> = (0..600)
            .map(|n| {
                json!({
                    "namespace": "Shop", "name": "depth", "dimensions": { "Queue": format!("q{n}") },
                    "points": [[NOON - 60, f64::from(n)]],
                })
            })
            .collect();
        cloud.account.metrics(Value::Array(series));
        let mut requests = Vec::new();
        for n in 0..600 {
            let name = format!("q{n}");
            let asked = query("depth", Some("Shop"), &[("Queue", name.as_str())]);
            requests.push(request(asked, Statistic::Average)?);
        }
        let answers = cloud.provider.read_metrics(&requests).await;
        for (n, answer) in answers.into_iter().enumerate() {
            let values: Vec<f64> = answer?.samples.iter().map(|s| s.value).collect();
            #[allow(clippy::cast_precision_loss, reason = "small")]
            let expected = n as f64;
            assert_eq!(values, [expected]);
        }
        assert_eq!(cloud.account.count("cloudwatch", "GetMetricData"), 2);
        cloud.no_violations()
    })
}

#[test]
fn no_data_is_no_samples_and_no_error() -> Done {
    run(async {
        let cloud = cloud()?;
        for asked in [
            query("cpu", None, &[]),
            query("orders", Some("Shop"), &[]),
            query("queue_depth", None, &[("QueueName", "jobs")]),
        ] {
            let read = samples(&cloud, request(asked, Statistic::Average)?).await?;
            assert_eq!(read, []);
        }
        cloud.no_violations()
    })
}

#[test]
fn a_read_that_is_throttled_is_asked_again_and_one_that_is_denied_is_not() -> Done {
    run(async {
        let cloud = cloud()?;
        let cpu = || request(query("cpu", None, &[]), Statistic::Average);
        cloud.account.faults(json!([
            { "service": "cloudwatch", "op": "GetMetricData", "kind": "throttling" }
        ]));
        assert_eq!(samples(&cloud, cpu()?).await?, []);
        assert_eq!(cloud.account.count("cloudwatch", "GetMetricData"), 2);
        cloud.account.allow(Some(&["sts:*", "autoscaling:*"]));
        let error = failure(cloud.provider.read_metrics(&[cpu()?]).await.remove(0))?;
        assert!(matches!(error, ProviderError::Denied { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains("the permission cloudwatch:GetMetricData"),
            "{error}"
        );
        assert_eq!(cloud.account.count("cloudwatch", "GetMetricData"), 3);
        cloud.no_violations()
    })
}
