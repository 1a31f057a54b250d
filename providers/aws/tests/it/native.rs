//! Native control: what the files say is made of AWS's own policies, and read back as the same.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tideform_policies::calendar::Held;
use tideform_provider::{
    AttributeChange, Control, ControlContext, ControlSpec, GroupChange, Provider, ProviderError,
    Settings,
};

use crate::support::{Cloud, Done, asg, at, failure, group, run};

const NAME: &str = "web-00001";
const NOW: &str = "2026-11-20T12:00:00Z";

fn cloud() -> Done<Cloud> {
    let cloud = Cloud::with_group(json!({ "MinSize": 1, "DesiredCapacity": 2, "MaxSize": 20 }))?;
    cloud.account.stop_clock(NOW);
    Ok(cloud)
}

async fn wanted(cloud: &Cloud, body: &str) -> Done<Vec<ControlSpec>> {
    let group = group(body)?;
    let live = cloud.live(NAME).await?;
    let context = ControlContext {
        workspace: "shop",
        now: at(NOW)?,
        held: &Held::default(),
        is_paused: false,
        only_schedules: false,
        live: Some(&live),
        applied: &[],
    };
    cloud
        .provider
        .controls(&group, &context)
        .await
        .map_err(|problems| format!("{problems:#?}").into())
}

/// Name, settings: in one order.
fn said(controls: &[Control]) -> BTreeMap<String, Settings> {
    controls
        .iter()
        .map(|control| (control.name.clone(), control.settings.clone()))
        .collect()
}

/// Applies what the files want, reads it back, and takes it away again.
async fn round_trip(cloud: &Cloud, body: &str) -> Done<Vec<ControlSpec>> {
    let specs = wanted(cloud, body).await?;
    assert!(!specs.is_empty(), "nothing is wanted:\n{body}");
    let changes = |make: &dyn Fn(&ControlSpec) -> AttributeChange| GroupChange {
        resource: asg(NAME),
        changes: specs.iter().map(make).collect(),
    };
    let put = changes(&|spec| AttributeChange::PutControl(spec.clone()));
    let expected: BTreeMap<String, Settings> = specs
        .iter()
        .map(|spec| (spec.name.clone(), spec.settings.clone()))
        .collect();
    // Twice: the second time changes nothing.
    for _ in 0..2 {
        cloud.provider.update_group(&put).await?;
        let live = cloud.live(NAME).await?;
        assert_eq!(said(&live.controls), expected, "{body}");
        assert_eq!(wanted(cloud, body).await?, specs);
    }
    cloud.no_violations()?;
    Ok(specs)
}

/// Takes all controls away; nothing of ours is left in AWS.
async fn remove(cloud: &Cloud, specs: &[ControlSpec]) -> Done {
    let change = GroupChange {
        resource: asg(NAME),
        changes: specs
            .iter()
            .map(|spec| AttributeChange::RemoveControl(spec.name.clone()))
            .collect(),
    };
    cloud.provider.update_group(&change).await?;
    assert_eq!(cloud.live(NAME).await?.controls, []);
    assert_eq!(alarms(cloud), json!([]));
    // Removed again: it is gone already.
    cloud.provider.update_group(&change).await?;
    cloud.no_violations()
}

fn alarms(cloud: &Cloud) -> Value {
    cloud.account.boto3(
        "out = sorted(a['AlarmName'] for a in client('cloudwatch').describe_alarms()['MetricAlarms'])",
    )
}

fn setting<'a>(specs: &'a [ControlSpec], name: &str) -> Done<&'a Settings> {
    Ok(&specs
        .iter()
        .find(|spec| spec.name == name)
        .ok_or_else(|| format!("no {name} in {specs:#?}"))?
        .settings)
}

async fn whole(body: &str) -> Done<Vec<ControlSpec>> {
    let cloud = cloud()?;
    let specs = round_trip(&cloud, body).await?;
    remove(&cloud, &specs).await?;
    Ok(specs)
}

#[test]
fn cpu_is_tracked_by_name() -> Done {
    run(async {
        let specs = whole("metric \"cpu\" {\n track { target = 60 }\n}").await?;
        let cpu = setting(&specs, "tideform/shop/web/cpu")?;
        assert_eq!(
            json!(cpu),
            json!({
                "type": "target_tracking", "target": 60.0, "scale_in": true,
                "metric": { "predefined": { "name": "ASGAverageCPUUtilization" } },
            })
        );
        Ok(())
    })
}

#[test]
fn scale_in_switched_off_is_kept_with_the_policy() -> Done {
    run(async {
        let body = "metric \"cpu\" {\n track { target = 60 }\n}\nscale_in {\n enabled = false\n}";
        let specs = whole(body).await?;
        let cpu = setting(&specs, "tideform/shop/web/cpu")?;
        assert_eq!(cpu.get("scale_in"), Some(&json!(false)));
        Ok(())
    })
}

#[test]
fn requests_per_instance_are_tracked_at_the_target_group() -> Done {
    run(async {
        let cloud = cloud()?;
        let base = cloud.base();
        let target = base["target"].as_str().ok_or("no target group")?;
        let launch = [("target_groups".to_owned(), json!([target]))];
        cloud
            .change(NAME, AttributeChange::Launch(launch.into()))
            .await?;
        let body = "metric \"requests_per_instance\" {\n track { target = 50 }\n}";
        let specs = round_trip(&cloud, body).await?;
        let requests = setting(&specs, "tideform/shop/web/requests_per_instance")?;
        // Ours are a second, AWS's a minute.
        assert_eq!(requests.get("target"), Some(&json!(3000.0)));
        let label = requests["metric"]["predefined"]["label"]
            .as_str()
            .ok_or("no label")?;
        assert!(
            label.starts_with("app/shop/") && label.contains("/targetgroup/web/"),
            "{label}"
        );
        remove(&cloud, &specs).await
    })
}

#[test]
fn a_total_is_divided_by_the_instances_and_their_count_is_switched_on() -> Done {
    run(async {
        let cloud = cloud()?;
        let body = "metric \"queue_depth\" {\n dimensions = { QueueName = \"jobs\" }\n scope = \"group\"\n track { target = 25 }\n}";
        let specs = round_trip(&cloud, body).await?;
        let queue = setting(&specs, "tideform/shop/web/queue_depth")?;
        assert_eq!(
            queue["metric"]["math"][2],
            json!({ "id": "value", "expression": "m1 / m2" })
        );
        let enabled = cloud.account.boto3(
            "out = [m['Metric'] for m in client('autoscaling').describe_auto_scaling_groups()['AutoScalingGroups'][0]['EnabledMetrics']]",
        );
        assert_eq!(enabled, json!(["GroupInServiceInstances"]));
        remove(&cloud, &specs).await
    })
}

#[test]
fn a_formula_is_metric_math() -> Done {
    run(async {
        let specs = whole(
            "metric \"queue_depth\" {\n dimensions = { QueueName = \"jobs\" }\n scope = \"group\"\n}\n\
             metric \"wait\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n scope = \"shared\"\n}\n\
             metric \"backlog\" {\n value = max(metric.queue_depth, 1) * metric.wait / 60\n scope = \"group\"\n track { target = 25 }\n}",
        )
        .await?;
        assert_eq!(specs.len(), 1);
        setting(&specs, "tideform/shop/web/backlog")?;
        Ok(())
    })
}

#[test]
fn a_percentile_of_a_series_is_tracked() -> Done {
    run(async {
        let specs = whole(
            "metric \"wait\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"p90\"\n scope = \"shared\"\n period = \"30s\"\n track { target = 2 }\n}",
        )
        .await?;
        let wait = setting(&specs, "tideform/shop/web/wait")?;
        assert_eq!(wait["metric"]["series"]["statistic"], json!("p90"));
        assert_eq!(wait["metric"]["series"]["period_s"], json!(30));
        Ok(())
    })
}

const STEPS: &str = "metric \"queue_depth\" {
  dimensions = { QueueName = \"jobs\" }
  scope      = \"group\"
  breach     = \"3 of 5\"
  on_missing = 0
  step {
    above = 100
    add   = 2
  }
  step {
    above = 1000
    add   = \"50%\"
  }
  step {
    below  = 10
    remove = 1
  }
}";

#[test]
fn steps_are_policies_with_alarms_and_removal_takes_these_along() -> Done {
    run(async {
        let cloud = cloud()?;
        let specs = round_trip(&cloud, STEPS).await?;
        let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
        assert_eq!(alarms(&cloud), json!(names));
        let out = setting(&specs, "tideform/shop/web/queue_depth-in")?;
        assert_eq!(out["alarm"]["periods"], json!(5));
        assert_eq!(out["alarm"]["breaching"], json!(3));
        assert_eq!(
            out["alarm"]["metric"]["math"][1]["expression"],
            json!("FILL(m1, 0)")
        );
        // Foreign alarms stay.
        cloud.account.boto3(
            "client('cloudwatch').put_metric_alarm(AlarmName='theirs', Namespace='Shop', MetricName='wait', Statistic='Average', Period=60, EvaluationPeriods=1, Threshold=1, ComparisonOperator='GreaterThanThreshold')",
        );
        let one = AttributeChange::RemoveControl("tideform/shop/web/queue_depth-in".to_owned());
        cloud.change(NAME, one).await?;
        let left = alarms(&cloud);
        assert!(!left.to_string().contains("queue_depth-in"), "{left}");
        assert!(left.to_string().contains("theirs"), "{left}");
        cloud
            .account
            .boto3("client('cloudwatch').delete_alarms(AlarmNames=['theirs'])");
        remove(&cloud, &specs).await
    })
}

#[test]
fn absent_data_is_said_to_the_alarm() -> Done {
    run(async {
        for (on_missing, out) in [
            ("hold", "missing"),
            ("last", "ignore"),
            ("scale_out", "breaching"),
        ] {
            let specs = whole(&format!(
                "metric \"cpu\" {{\n on_missing = \"{on_missing}\"\n breach = \"2m\"\n\
                 step {{\n above = 80\n add = 1\n}}\nstep {{\n below = 20\n remove = 1\n}}\n}}"
            ))
            .await?;
            let alarm = setting(&specs, "tideform/shop/web/cpu-out")?;
            assert_eq!(alarm["alarm"]["missing"], json!(out));
            assert_eq!(alarm["alarm"]["periods"], json!(2));
        }
        Ok(())
    })
}

#[test]
fn a_recurring_window_is_two_actions_in_its_time_zone() -> Done {
    run(async {
        let specs = whole(
            "schedule \"office\" {\n cron = \"0 8 * * MON-FRI\"\n timezone = \"Europe/Berlin\"\n duration = \"10h\"\n min = 6\n}",
        )
        .await?;
        let open = setting(&specs, "tideform/shop/web/office-open")?;
        assert_eq!(
            json!(open),
            json!({ "type": "scheduled", "cron": "0 8 * * MON-FRI", "timezone": "Europe/Berlin", "min": 6, "max": 20 })
        );
        let close = setting(&specs, "tideform/shop/web/office-close")?;
        assert_eq!(close["cron"], json!("0 18 * * MON-FRI"));
        assert_eq!((&close["min"], &close["max"]), (&json!(1), &json!(20)));
        Ok(())
    })
}

#[test]
fn dated_windows_are_dated_actions() -> Done {
    run(async {
        let specs = whole(
            "schedule \"black-friday\" {\n start = \"2026-11-27T06:00:00\"\n end = \"2026-11-28T02:00:00\"\n timezone = \"America/New_York\"\n min = 12\n}",
        )
        .await?;
        let times: Vec<(&Value, &Value)> = specs
            .iter()
            .map(|spec| (&spec.settings["at"], &spec.settings["min"]))
            .collect();
        assert_eq!(
            times,
            [
                (&json!("2026-11-27T11:00:00Z"), &json!(12)),
                (&json!("2026-11-28T07:00:00Z"), &json!(1)),
            ]
        );
        Ok(())
    })
}

#[test]
fn windows_that_meet_and_surges_become_dated_actions_that_say_what_holds() -> Done {
    run(async {
        let cloud = cloud()?;
        let body = "schedule \"office\" {\n cron = \"0 8 * * *\"\n duration = \"10h\"\n min = 6\n}\n\
             schedule \"noon\" {\n cron = \"0 12 * * *\"\n duration = \"1h\"\n min = 9\n max = 12\n}\n\
             surge \"launch\" {\n min = 15\n duration = \"2h\"\n lead = \"1h\"\n}";
        let group = group(body)?;
        let live = cloud.live(NAME).await?;
        let held = Held {
            pin: None,
            floors: Held::surges(
                &group.policy,
                &[("launch".into(), at("2026-11-21T20:00:00Z")?)],
            ),
        };
        let context = ControlContext {
            workspace: "shop",
            now: at(NOW)?,
            held: &held,
            is_paused: false,
            only_schedules: true,
            live: Some(&live),
            applied: &[],
        };
        let controls = cloud.provider.controls(&group, &context).await;
        let specs = controls.map_err(|problems| format!("{problems:#?}"))?;
        let edges: Vec<(&str, &Value, &Value)> = specs
            .iter()
            .take(7)
            .map(|spec| {
                let settings = &spec.settings;
                let at = settings["at"].as_str().unwrap_or_default();
                (at, &settings["min"], &settings["max"])
            })
            .collect();
        let (one, six, nine, fifteen) = (json!(1), json!(6), json!(9), json!(15));
        let (twelve, twenty) = (json!(12), json!(20));
        assert_eq!(
            edges,
            [
                ("2026-11-20T13:00:00Z", &six, &twenty),
                ("2026-11-20T18:00:00Z", &one, &twenty),
                ("2026-11-21T08:00:00Z", &six, &twenty),
                ("2026-11-21T12:00:00Z", &nine, &twelve),
                ("2026-11-21T13:00:00Z", &six, &twenty),
                ("2026-11-21T18:00:00Z", &one, &twenty),
                ("2026-11-21T19:00:00Z", &fifteen, &twenty),
            ]
        );
        let change = GroupChange {
            resource: asg(NAME),
            changes: specs
                .iter()
                .map(|spec| AttributeChange::PutControl(spec.clone()))
                .collect(),
        };
        cloud.provider.update_group(&change).await?;
        let expected: BTreeMap<String, Settings> = specs
            .iter()
            .map(|spec| (spec.name.clone(), spec.settings.clone()))
            .collect();
        assert_eq!(said(&cloud.live(NAME).await?.controls), expected);
        remove(&cloud, &specs).await
    })
}

#[test]
fn a_policy_whose_answer_is_lost_is_put_again_and_is_one() -> Done {
    run(async {
        let cloud = cloud()?;
        let specs = wanted(&cloud, STEPS).await?;
        for (service, op) in [
            ("autoscaling", "PutScalingPolicy"),
            ("cloudwatch", "PutMetricAlarm"),
        ] {
            cloud.account.faults(json!([
                { "service": service, "op": op, "kind": "drop", "when": "after" }
            ]));
            let change = GroupChange {
                resource: asg(NAME),
                changes: vec![AttributeChange::PutControl(specs[0].clone())],
            };
            let error = failure(cloud.provider.update_group(&change).await)?;
            assert!(
                matches!(error, ProviderError::OutcomeUnknown { .. }),
                "{op}: {error}"
            );
        }
        round_trip(&cloud, STEPS).await?;
        remove(&cloud, &specs).await
    })
}

#[test]
fn an_adopted_policy_on_the_same_metric_keeps_its_name() -> Done {
    run(async {
        let cloud = Cloud::new()?;
        cloud.account.stop_clock(NOW);
        cloud
            .account
            .seed_groups(json!({ "count": 1, "prefix": "web", "schedules": [] }));
        let body = |adopt: &str| {
            format!("adopt = {adopt}\nmetric \"cpu\" {{\n track {{ target = 60 }}\n}}")
        };
        for (adopt, name) in [
            ("false", "tideform/shop/web/cpu"),
            ("true", "cpu"),
            ("[\"cpu\"]", "cpu"),
            ("[\"burst\"]", "tideform/shop/web/cpu"),
        ] {
            let specs = wanted(&cloud, &body(adopt)).await?;
            let names: Vec<&str> = specs.iter().map(|spec| spec.name.as_str()).collect();
            assert_eq!(names, [name], "adopt = {adopt}");
        }
        let specs = wanted(&cloud, &body("true")).await?;
        cloud
            .change(NAME, AttributeChange::PutControl(specs[0].clone()))
            .await?;
        let controls = said(&cloud.live(NAME).await?.controls);
        assert_eq!(controls.len(), 2);
        assert_eq!(controls["cpu"], specs[0].settings);
        cloud.no_violations()
    })
}

#[test]
fn what_is_in_aws_is_what_the_files_say_field_by_field() -> Done {
    run(async {
        let cloud = cloud()?;
        let body = format!("metric \"cpu\" {{\n track {{ target = 60 }}\n}}\n{STEPS}");
        let specs = round_trip(&cloud, &body).await?;
        let seen = cloud.account.boto3(
            "
asg = client('autoscaling')
out = {}
for p in asg.describe_policies(AutoScalingGroupName='web-00001')['ScalingPolicies']:
    out[p['PolicyName'].rsplit('/', 1)[1]] = [p['PolicyType'], p.get('AdjustmentType'),
        [[s.get('MetricIntervalLowerBound'), s.get('MetricIntervalUpperBound'), s['ScalingAdjustment']] for s in p['StepAdjustments']],
        p.get('TargetTrackingConfiguration')]
for a in client('cloudwatch').describe_alarms(AlarmNamePrefix='tideform/')['MetricAlarms']:
    m = a['Metrics']
    out['alarm ' + a['AlarmName'].rsplit('/', 1)[1]] = [a['ComparisonOperator'], a['Threshold'], a['EvaluationPeriods'],
        a['DatapointsToAlarm'], a['TreatMissingData'], len(a['AlarmActions']),
        [[q['Id'], q.get('Expression') or q['MetricStat']['Metric']['MetricName'], q['ReturnData']] for q in m]]
",
        );
        let math = json!([
            ["m1", "ApproximateNumberOfMessagesVisible", false],
            ["value", "FILL(m1, 0)", true]
        ]);
        assert_eq!(
            seen,
            json!({
                "cpu": ["TargetTrackingScaling", null, [], {
                    "PredefinedMetricSpecification": { "PredefinedMetricType": "ASGAverageCPUUtilization" },
                    "TargetValue": 60.0, "DisableScaleIn": false,
                }],
                // From 1000 on the other step acts, and this one does nothing.
                "queue_depth-out": ["StepScaling", "ChangeInCapacity", [[0.0, 900.0, 2], [900.0, null, 0]], null],
                "queue_depth-out-percent": ["StepScaling", "PercentChangeInCapacity", [[0.0, null, 50]], null],
                "queue_depth-in": ["StepScaling", "ChangeInCapacity", [[null, 0.0, -1]], null],
                "alarm queue_depth-out": ["GreaterThanOrEqualToThreshold", 100.0, 5, 3, "missing", 1, math],
                "alarm queue_depth-out-percent": ["GreaterThanOrEqualToThreshold", 1000.0, 5, 3, "missing", 1, math],
                "alarm queue_depth-in": ["LessThanOrEqualToThreshold", 10.0, 5, 3, "missing", 1, math],
            })
        );
        remove(&cloud, &specs).await
    })
}

#[test]
fn a_forecast_is_predictive_scaling() -> Done {
    run(async {
        let specs = whole(
            "metric \"requests\" {\n namespace = \"Shop\"\n dimensions = { Service = \"web\" }\n statistic = \"sum\"\n scope = \"group\"\n}\n\
             forecast {\n metric = \"requests\"\n per_instance = 50\n lead = \"15m\"\n mode = \"observe\"\n}",
        )
        .await?;
        let forecast = setting(&specs, "tideform/shop/web/forecast")?;
        assert_eq!(forecast["mode"], json!("ForecastOnly"));
        assert_eq!(forecast["buffer_s"], json!(900));
        assert_eq!(forecast["target"], json!(50.0));
        Ok(())
    })
}

#[test]
fn what_aws_cannot_say_is_named_with_its_place() -> Done {
    run(async {
        let cloud = cloud()?;
        let live = cloud.live(NAME).await?;
        let track = "metric \"cpu\" {\n track { target = 60 }\n}";
        for (body, path) in [
            (format!("combine = \"majority\"\n{track}"), "combine"),
            (
                format!("{track}\nscale_out {{\n cooldown = \"5m\"\n}}"),
                "scale_out.cooldown",
            ),
            (
                format!("{track}\nscale_in {{\n stabilization = \"20m\"\n}}"),
                "scale_in.stabilization",
            ),
            ("metric \"cpu\" {\n want = true\n}".to_owned(), "metric.cpu"),
            (
                "metric \"cpu\" {\n track { target = 60 }\n period = \"5m\"\n}".to_owned(),
                "metric.cpu.period",
            ),
            (
                "metric \"cpu\" {\n track { target = 60 }\n on_missing = \"last\"\n}".to_owned(),
                "metric.cpu.on_missing",
            ),
            (
                "metric \"cpu\" {\n step {\n from = 10\n to = 20\n add = 1\n}\n}".to_owned(),
                "metric.cpu",
            ),
            (
                format!(
                    "{track}\nforecast {{\n metric = \"cpu\"\n per_instance = 60\n quantile = 0.5\n}}"
                ),
                "forecast.quantile",
            ),
        ] {
            let group = group(&body)?;
            let context = ControlContext {
                workspace: "shop",
                now: at(NOW)?,
                held: &Held::default(),
                is_paused: false,
                only_schedules: false,
                live: Some(&live),
                applied: &[],
            };
            let problems = match cloud.provider.controls(&group, &context).await {
                Err(problems) => problems,
                Ok(specs) => return Err(format!("{body}: {specs:#?}").into()),
            };
            let paths: Vec<&str> = problems
                .iter()
                .map(|problem| problem.path.as_str())
                .collect();
            assert_eq!(paths, [path], "{body}: {problems:#?}");
            assert!(problems.iter().all(|problem| problem.help.ends_with('.')));
        }
        Ok(())
    })
}
