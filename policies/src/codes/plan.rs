//! P06xx: what is wrong in the files as seen from the cloud. Found by `plan`, not by `validate`.

super::codes! {
    RESOURCE_NOT_FOUND = "P0601", "Resource does not exist",
        "The provider has no resource of this kind and name, and the group has no `launch` block, so tideform may not create one. Either the name is wrong, or the resource is made elsewhere and not there yet, or the group should have a `launch` block.",
        "group \"web\" {\n  resource \"asg\" { name = \"web-prdo\" }      # write \"web-prod\"\n}";
    NOT_EXPRESSIBLE = "P0602", "Provider cannot do this",
        "What the files ask for here, this provider cannot express. It is refused when planning instead of being left out silently when the group scales.",
        "controller = \"native\"      # on a provider without controls of its own: write \"tideform\"";
    FOREIGN_CONTROL = "P0603", "Another policy moves the capacity",
        "The resource carries an enabled scaling policy that tideform did not make. Two controllers of one capacity work against each other. Take the policy over with `adopt`, disable it where it was made, or say `coexist = true`.",
        "group \"web\" {\n  adopt = [\"cpu-60\"]      # or adopt = true\n}";
    OWNED_ELSEWHERE = "P0604", "Another state owns the resource",
        "The resource carries the owner tag of another tideform state. Two states that manage one resource undo each other's work. Remove the group from the other configuration first, or take the resource over on purpose.",
        "tideform plan --take-over";
    RESOURCE_TWICE = "P0605", "One resource in two groups",
        "Two groups scale the same resource of the same provider. Each would undo the other's work.",
        "group \"a\" {\n  resource \"asg\" { name = \"web\" }\n}\ngroup \"b\" {\n  resource \"asg\" { name = \"web\" }      # another name\n}";
    NOTHING_TO_ADOPT = "P0606", "No such policy to adopt",
        "`adopt` names a scaling policy that the resource does not have. Nothing is taken over under that name.",
        "adopt = [\"cpu-06\"]      # write \"cpu-60\"";
    LIMITS_TO_CREATE = "P0607", "Limits are needed to create a resource",
        "A group with `launch` whose resource does not exist yet is created with its limits. Without `limits` there are none, live or written.",
        "group \"web\" {\n  launch {}\n  limits {\n    min = 1\n    max = 4\n  }\n}";
    RESOURCE_KIND_UNKNOWN = "P0608", "Provider has no such kind of resource",
        "The label of the `resource` block is a kind of thing that the group's provider scales. The kinds that this provider has are listed.",
        "resource \"deployment\" { name = \"web\" }      # on provider.aws: write \"asg\"";
    CREATION_NOT_POSSIBLE = "P0609", "Provider cannot create resources",
        "The group has a `launch` block, its resource does not exist, and the provider only scales resources that are there.",
        "launch {}      # create the resource elsewhere and take the block out";
    DRAIN_TOO_SHORT = "P0610", "Drain ends before the load balancer lets go",
        "A load balancer that stops sending new requests to an ending instance lets it finish those that it has, for as long as its deregistration delay says. An instance that is terminated earlier cuts them off. Tideform reads the delay, and does not set it.",
        "scale_in {\n  drain = \"2m\"      # with a deregistration delay of 5m: write \"5m\", or lower the delay\n}";
    SWITCHED_OFF = "P0611", "The cloud is kept from scaling the group",
        "With `controller = \"native\"` the cloud's own controls scale the group, and somebody has switched off a part of it that they need: on AWS the process AlarmNotification (policies), ScheduledActions (windows, and the ends of pins and surges), Launch or Terminate. A pause of tideform's own is not meant.",
        "aws autoscaling resume-processes --auto-scaling-group-name web-prod --scaling-processes AlarmNotification";
    OVERRIDE_IN_FORCE = "P0612", "A pin, surge or pause would stay for ever",
        "A `removed` block lets go of a group as it is, and nobody would bring back what a pin, surge or pause has moved of it in the cloud: its limits, its scheduled actions, suspended processes. End it first, and let the loop bring all back.",
        "tideform unpin web && tideform reconcile --once";
}
