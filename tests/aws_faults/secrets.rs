//! Credentials never reach an output, a plan, the state or any other file, whatever fails.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use tideform_aws_testserver::{AwsServer, Fault};

use crate::support::{Case, Comes, Shop, cpu};

const SECRET: &str = "wJalrXUtnFEMIsecretK7MDENG";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEtokenOfTheSession";

const GROUP: &str = "
  limits {
    min = 1
    max = 3
  }
  metric \"cpu\" {
    track { target = 60 }
  }
";

/// Every file below, and its bytes.
fn files(directory: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if let Ok(bytes) = fs::read(&path) {
            found.push((path.display().to_string(), bytes));
        }
    }
}

/// The values of credentials in what went over the wire: keys, tokens and signatures, those of the role among them.
fn sent(shop: &Shop) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    for call in shop.proxy.passed() {
        let text = String::from_utf8_lossy(&call.request).into_owned();
        for line in text.lines() {
            if let Some(token) = line.strip_prefix("x-amz-security-token: ") {
                secrets.insert(token.trim().to_owned());
            }
            for (before, after) in [("Credential=", '/'), ("Signature=", '\r')] {
                if let Some((_, rest)) = line.split_once(before) {
                    let end = rest.find(after).unwrap_or(rest.len());
                    secrets.insert(rest[..end].trim().to_owned());
                }
            }
        }
    }
    secrets
}

#[test]
fn credentials_are_in_no_output_and_no_file() {
    for with_role in [false, true] {
        let mut shop = Shop::new();
        let theirs = AwsServer::shared().account();
        let cases = ["one", "two"].map(|name| Case {
            name,
            fault: None,
            comes: Comes::Done,
        });
        shop.make_groups(&cases, 1);
        shop.directory.set("AWS_SECRET_ACCESS_KEY", SECRET);
        shop.directory.set("AWS_SESSION_TOKEN", TOKEN);
        for verbose in ["TIDEFORM_LOG", "RUST_LOG", "AWS_LOG_LEVEL"] {
            shop.directory.set(verbose, "trace");
        }
        shop.directory.set("RUST_BACKTRACE", "full");
        shop.write(["one", "two"], GROUP);
        if with_role {
            // In an account without groups: everything is refused there.
            let files = shop.directory.read("shop.hcl");
            let role = format!(
                "assume_role = \"arn:aws:iam::{}:role/scaler\"\n  timeout",
                theirs.id()
            );
            shop.directory
                .write("shop.hcl", &files.replace("timeout", &role));
        }
        let mut said = Vec::new();
        let mut run = |shop: &Shop, arguments: &[&str]| {
            let ran = shop.directory.run(arguments);
            said.push((arguments.join(" "), format!("{}{}", ran.stdout, ran.stderr)));
        };
        run(&shop, &["init"]);
        run(&shop, &["validate", "--resolved"]);
        run(&shop, &["plan", "--out", "one.plan"]);
        run(&shop, &["plan", "--json"]);
        run(&shop, &["show", "one.plan"]);
        run(&shop, &["show", "one.plan", "--json"]);
        for (op, fault) in [
            ("CreateOrUpdateTags", Fault::CutBefore),
            ("CreateOrUpdateTags", Fault::Page),
            (
                "GetCallerIdentity",
                Fault::Answer {
                    status: 403,
                    code: "SignatureDoesNotMatch",
                },
            ),
        ] {
            shop.proxy.spoil(op, "", fault);
        }
        run(&shop, &["apply", "--auto-approve", "--json"]);
        run(&shop, &["apply", "--auto-approve"]);
        shop.proxy.heal();
        if !with_role {
            shop.a_minute_later();
        }
        run(&shop, &["apply", "--auto-approve"]);
        cpu(&shop.account, "web-one", 180.0);
        shop.account.allow(Some(&["autoscaling:Describe*"]));
        run(&shop, &["reconcile", "--once", "--json"]);
        run(&shop, &["plan"]);
        shop.account.allow(None);
        run(&shop, &["reconcile", "--once"]);
        for command in ["status", "events", "cost", "explain web"] {
            let arguments: Vec<&str> = command.split(' ').collect();
            run(&shop, &arguments);
        }
        run(&shop, &["state", "show", "group.one"]);
        run(&shop, &["state", "pull"]);
        run(&shop, &["version"]);

        let mut secrets = sent(&shop);
        assert!(secrets.contains(&shop.account.access_key()), "{secrets:?}");
        assert!(secrets.contains(TOKEN), "{secrets:?}");
        let has_role = secrets.iter().any(|secret| secret.starts_with("ASIA"));
        assert_eq!(has_role, with_role, "{secrets:?}");
        secrets.insert(SECRET.to_owned());
        let mut places: Vec<(String, Vec<u8>)> = said
            .into_iter()
            .map(|(command, text)| (command, text.into_bytes()))
            .collect();
        let outputs = places.len();
        files(shop.directory.path(), &mut places);
        assert!(places.len() > outputs + 1, "no files at all");
        for (place, bytes) in &places {
            for secret in &secrets {
                let found = bytes
                    .windows(secret.len())
                    .any(|window| window == secret.as_bytes());
                assert!(!found, "{secret} is in {place}");
            }
        }
    }
}
