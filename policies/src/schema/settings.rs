//! `tideform`, `variable`, `locals`, `moved`, `removed`.

use super::{BlockSchema, Kind, Labels, attribute, block};
use crate::defaults;

pub(super) static TIDEFORM: BlockSchema = BlockSchema {
    attributes: &[
        attribute(
            "required_version",
            Kind::Version,
            "The versions of tideform that may run this: `\">= 0.1\"`, `\"~> 0.1\"`, several with commas.",
        ),
        attribute(
            "workspace",
            Kind::Text,
            "Names and tags what this configuration owns; `--workspace` is stronger.",
        )
        .or(defaults::WORKSPACE),
    ],
    blocks: &[&BACKEND],
    ..block(
        "tideform",
        Labels::None,
        "Settings of the directory; at most one.",
    )
};

static BACKEND: BlockSchema = BlockSchema {
    variants: &[
        BlockSchema {
            attributes: &[attribute(
                "path",
                Kind::Text,
                "The state's file; without it `.tideform/<workspace>.db`.",
            )],
            ..block(
                "local",
                Labels::None,
                "The state is a file on this machine.",
            )
        },
        BlockSchema {
            attributes: &[
                attribute("bucket", Kind::Text, "The bucket.").required(),
                attribute(
                    "key",
                    Kind::Text,
                    "The object's name; without it `<prefix>/<workspace>.db`.",
                ),
                attribute(
                    "prefix",
                    Kind::Text,
                    "The folder of the objects where `key` is not set; without it `tideform`.",
                ),
                attribute(
                    "region",
                    Kind::Text,
                    "The bucket's region; without it what the SDK's search finds.",
                ),
                attribute(
                    "profile",
                    Kind::Text,
                    "The profile of the shared configuration and credentials files.",
                ),
                attribute(
                    "assume_role",
                    Kind::Text,
                    "The ARN of a role to take on for the bucket.",
                ),
                attribute(
                    "external_id",
                    Kind::Text,
                    "What the role's trust policy asks for as `sts:ExternalId`.",
                ),
                attribute(
                    "session_name",
                    Kind::Text,
                    "The name of the role's session, which CloudTrail shows; else `tideform`.",
                ),
                attribute(
                    "endpoint_url",
                    Kind::Text,
                    "Another S3-compatible store: its address, with the scheme.",
                ),
            ],
            exclusive: &[&[&["key"], &["prefix"]]],
            ..block("s3", Labels::None, "The state is an object in a bucket.")
        },
    ],
    ..block(
        "backend",
        Labels::Variant("kind"),
        "Where the state is kept.",
    )
};

pub(super) static VARIABLE: BlockSchema = BlockSchema {
    blocks: &[&VALIDATION],
    ..block(
        "variable",
        Labels::Name("name"),
        "A value that is given from outside, with `type`, `default`, `description`, `sensitive`, `nullable`.",
    )
};

static VALIDATION: BlockSchema = block(
    "validation",
    Labels::None,
    "A `condition` that the value must meet, and the `error_message` where it does not.",
);

pub(super) static LOCALS: BlockSchema = BlockSchema {
    open: true,
    ..block("locals", Labels::None, "Values with a name, `local.x`.")
};

pub(super) static MOVED: BlockSchema = BlockSchema {
    attributes: &[
        attribute("from", Kind::Group, "The address that the group had.").required(),
        attribute("to", Kind::Group, "The address that it has now.").required(),
    ],
    ..block(
        "moved",
        Labels::None,
        "Keeps memory and history when a group's address changes.",
    )
};

pub(super) static REMOVED: BlockSchema = BlockSchema {
    attributes: &[attribute("from", Kind::Group, "The address that the group had.").required()],
    ..block(
        "removed",
        Labels::None,
        "Forgets a group without touching what it scales.",
    )
};
