//! The world in its file.

use std::sync::Arc;

use serde_json::json;
use tideform_mock::MockProvider;
use tideform_mock::admin::Admin;
use tideform_provider::{GroupRequest, Provider, ProviderError};

use crate::support::{Cloud, Done, MINUTE, asg, live, metric, run, settings, spec, values};

fn message(answer: Result<MockProvider, ProviderError>) -> String {
    answer
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default()
}

#[test]
fn two_handles_see_the_same_world() -> Done {
    run(async {
        let load = json!({ "load": { "web": { "formula": "100" } } });
        let cloud = Cloud::new(load.clone())?;
        let other = MockProvider::open(&settings(load), cloud.folder.path())?;
        cloud.provider.create_group(&spec("web")?).await?;
        assert_eq!(live(&other, "web").await?.desired, 4);
        other.set_desired(&asg("web"), 6).await?;
        assert_eq!(cloud.live("web").await?.desired, 6);
        cloud.wait(MINUTE * 3).await?;
        other.set_desired(&asg("web"), 2).await?;
        cloud.wait(MINUTE * 3).await?;
        assert_eq!(live(&other, "web").await?, cloud.live("web").await?);
        let (mine, theirs) = (
            values(&cloud.provider, metric("web", "cpu", "00:06")?).await?,
            values(&other, metric("web", "cpu", "00:06")?).await?,
        );
        assert_eq!(mine, theirs);
        assert_eq!(mine.last(), Some(&50.0));
        cloud.provider.delete_group(&asg("web")).await?;
        assert!(live(&other, "web").await.is_err());
        Ok(())
    })
}

#[test]
fn a_world_lasts_and_is_opened_without_its_settings() -> Done {
    run(async {
        let cloud = Cloud::new(json!({ "load": { "web": { "formula": "200" } } }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        cloud.wait(MINUTE * 4).await?;
        let before = cloud.provider.admin().show()?;
        let path = cloud.provider.admin().path().to_owned();
        let Cloud { folder, provider } = cloud;
        drop(provider);
        let admin = Admin::open(&path)?;
        assert_eq!(admin.show()?, before);
        assert_eq!(
            before.groups[0]
                .last_step
                .and_then(|s| s.utilization_percent),
            Some(50.0)
        );
        drop(folder);
        Ok(())
    })
}

#[test]
fn what_a_world_was_made_with_cannot_become_something_else() -> Done {
    let cloud = Cloud::new(json!({}))?;
    for (change, part) in [
        (
            json!({ "seed": 8 }),
            "was made with seed 7, and the files say 8",
        ),
        (
            json!({ "clock": "real" }),
            "was made with clock stepped, and the files say real",
        ),
        (
            json!({ "step": "30s" }),
            "was made with step 60s, and the files say 30s",
        ),
        (
            json!({ "start": "2026-01-06T00:00:00Z" }),
            "was made with start 2026-01-05T00:00:00Z",
        ),
    ] {
        let said = message(MockProvider::open(&settings(change), cloud.folder.path()));
        assert!(said.contains(part), "{said}");
    }
    Ok(())
}

#[test]
fn a_changed_load_forgets_the_metrics_of_the_other() -> Done {
    run(async {
        let cloud = Cloud::new(json!({ "load": { "web": { "formula": "100" } } }))?;
        for name in ["web", "api"] {
            cloud.provider.create_group(&spec(name)?).await?;
        }
        cloud.wait(MINUTE * 5).await?;
        let more = settings(json!({ "load": { "web": { "formula": "300" } } }));
        let other = MockProvider::open(&more, cloud.folder.path())?;
        cloud.wait(MINUTE * 2).await?;
        for provider in [&cloud.provider, &other] {
            assert_eq!(
                values(provider, metric("web", "requests", "00:07")?).await?,
                [300.0; 2]
            );
            assert_eq!(
                values(provider, metric("api", "requests", "00:07")?).await?,
                [0.0; 7]
            );
        }
        Ok(())
    })
}

#[test]
fn a_file_that_is_no_world_is_refused_and_left_alone() -> Done {
    let folder = tempfile::TempDir::new()?;
    let path = folder.path().join("notes.txt");
    std::fs::write(
        &path,
        "these are my notes, and they are longer than a header of SQLite is".repeat(20),
    )?;
    let before = std::fs::read(&path)?;
    let said = message(MockProvider::open(
        &settings(json!({ "world": "notes.txt" })),
        folder.path(),
    ));
    assert!(said.contains("it is no mock world"), "{said}");
    assert_eq!(std::fs::read(&path)?, before);
    assert!(Admin::open(&folder.path().join("none")).is_err());
    let missing = json!({ "load": { "web": { "trace": "none.csv" } } });
    let said = message(MockProvider::open(&settings(missing), folder.path()));
    assert!(
        said.contains("load \"web\"") && said.contains("none.csv"),
        "{said}"
    );
    Ok(())
}

#[test]
fn a_trace_is_found_beside_the_configuration() -> Done {
    run(async {
        let folder = tempfile::TempDir::new()?;
        std::fs::write(
            folder.path().join("web.csv"),
            "timestamp,value\n1998-06-27T00:00:00Z,60\n1998-06-27T00:01:00Z,120\n1998-06-27T00:02:00Z,180\n",
        )?;
        let load =
            json!({ "load": { "web": { "trace": "web.csv", "per": "minute", "scale": 10 } } });
        let provider = MockProvider::open(&settings(load), folder.path())?;
        provider.create_group(&spec("web")?).await?;
        provider.admin().advance(MINUTE * 4)?;
        let requests = values(&provider, metric("web", "requests", "00:04")?).await?;
        assert_eq!(requests, [10.0, 20.0, 30.0, 10.0]);
        Ok(())
    })
}

#[test]
fn a_real_clock_is_not_stepped_by_hand() -> Done {
    run(async {
        let folder = tempfile::TempDir::new()?;
        let provider = MockProvider::open(&serde_json::Map::new(), folder.path())?;
        assert!(provider.clock().is_none());
        let refused = provider.admin().advance(MINUTE);
        assert!(matches!(refused, Err(ProviderError::Refused { .. })));
        provider.create_group(&spec("web")?).await?;
        assert_eq!(live(&provider, "web").await?.instances.len(), 4);
        assert!(folder.path().join(".tideform/mock.world").exists());
        Ok(())
    })
}

#[test]
fn a_write_that_dies_halfway_leaves_the_world_as_it_was() -> Done {
    run(async {
        let cloud = Cloud::new(json!({}))?;
        cloud.provider.create_group(&spec("web")?).await?;
        let other = MockProvider::open(&settings(json!({})), cloud.folder.path())?;
        let admin = cloud.provider.admin();
        let died = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = admin.batch(|world| {
                world.set_desired("web", 9)?;
                world.delete("web")?;
                std::panic::resume_unwind(Box::new("killed"))
            });
        }));
        assert!(died.is_err());
        for provider in [&cloud.provider, &other] {
            assert_eq!(live(provider, "web").await?.desired, 4);
        }
        cloud.provider.set_desired(&asg("web"), 5).await?;
        assert_eq!(live(&other, "web").await?.desired, 5);
        Ok(())
    })
}

#[test]
fn writers_side_by_side_lose_nothing() -> Done {
    let cloud = Cloud::new(json!({}))?;
    let folder = cloud.folder.path().to_owned();
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let folder = folder.clone();
            std::thread::spawn(move || -> Result<(), String> {
                let provider = Arc::new(
                    MockProvider::open(&settings(json!({})), &folder).map_err(|e| e.to_string())?,
                );
                run(async {
                    for n in 0..10 {
                        provider
                            .create_group(&spec(&format!("g{thread}-{n}"))?)
                            .await?;
                    }
                    Ok(())
                })
                .map_err(|error| error.to_string())
            })
        })
        .collect();
    for thread in threads {
        thread.join().map_err(|_| "a writer panicked")??;
    }
    assert_eq!(cloud.provider.admin().show()?.groups.len(), 40);
    Ok(())
}

#[test]
fn thousands_of_groups_are_read_at_once_and_a_queue_has_samples_in_each_minute() -> Done {
    run(async {
        let cloud = Cloud::new(json!({
            "load": { "default": { "formula": "200 + 100 * sin(t / 6000)", "kind": "queue" } }
        }))?;
        let admin = cloud.provider.admin();
        let mut one = spec("g")?;
        one.desired = 2;
        admin.batch(|world| {
            for n in 0..2_000 {
                one.resource = asg(&format!("g{n}"));
                world.create(&one)?;
            }
            Ok(())
        })?;
        let requests: Vec<_> = (0..2_000)
            .map(|n| GroupRequest::whole(asg(&format!("g{n}"))))
            .collect();
        cloud.wait(MINUTE * 5).await?;
        let answers = cloud.provider.read_groups(&requests).await;
        assert!(answers.iter().all(|answer| matches!(answer, Ok(Some(_)))));
        Ok(())
    })?;
    run(async {
        let cloud = Cloud::new(json!({
            "load": { "web": { "formula": "200 + 100 * sin(t / 6000)", "kind": "queue" } }
        }))?;
        cloud.provider.create_group(&spec("web")?).await?;
        let clock = cloud.provider.clock().ok_or("no clock")?;
        for minute in 0..1_000 {
            clock.wait(MINUTE).await;
            let mut request = metric("web", "queue_depth", "00:00")?;
            request.to = clock.now();
            request.from = request.to - MINUTE * 5;
            let samples = cloud
                .provider
                .read_metrics(&[request])
                .await
                .remove(0)?
                .samples;
            assert!(!samples.is_empty());
            if minute % 5 == 0 {
                cloud
                    .provider
                    .set_desired(&asg("web"), 2 + minute / 5 % 3)
                    .await?;
            }
            cloud.live("web").await?;
        }
        Ok(())
    })
}
