variable "name" {
  type        = string
  default     = "vpce-guard"
  description = "Name of the CloudFormation stack."
}

variable "bucket" {
  type        = string
  description = "Bucket that `make release BUCKET=...` uploaded the build to; the template is put there, too."
}

variable "template" {
  type        = string
  description = "Path of dist/template-in-s3.yaml, as `make release BUCKET=...` wrote it."
}

variable "tags" {
  type        = map(string)
  default     = {}
  description = "Tags of the stack, which CloudFormation puts on its resources."
}

# One variable for each parameter of template.yaml. null leaves its default there.

variable "mode" {
  type        = string
  default     = null
  description = "observe only reports what would be done; remediate does it. First value of an SSM parameter that is read at run time: see the outputs for how to switch without a deployment."
}

variable "scope" {
  type        = string
  default     = null
  description = "VPCs to guard: all, only those with the tag vpce-guard:guarded, only those in which a secret's rotation function runs, or all but the default VPC. The tag vpce-guard:ignore exempts a VPC."
}

variable "grace_minutes" {
  type        = number
  default     = null
  description = "Minutes after CreateVpc or CreateSubnet in which no endpoint is created, so that infrastructure code can bring its own. Repairs never wait."
}

variable "maximum_zones" {
  type        = number
  default     = null
  description = "Most Availability Zones that the guard gives an endpoint network interfaces in; AWS charges for each. 0 for every zone that hosts subnets."
}

variable "monthly_budget" {
  type        = number
  default     = null
  description = "Most US dollars that the endpoints created in one calendar month may add to a month's bill; 0 for no limit. Beyond it there is a finding instead of an endpoint."
}

variable "approved_policy" {
  type        = string
  default     = null
  description = "Name of the approved endpoint policy in the approved_policies layer, where no tag chooses another."
}

variable "approved_accounts" {
  type        = list(string)
  default     = null
  description = "Accounts whose endpoints are approved, such as that of a central network account. Single endpoints are approved in layers/approved_policies/approved.json."
}

variable "watch_foreign_endpoints" {
  type        = bool
  default     = null
  description = "Also judge requests that came through an endpoint of another account, or of an account that the record does not name."
}

variable "secret_perimeter" {
  type        = string
  default     = null
  description = "Secrets whose resource policy must deny reads from outside: those with the tag vpce-guard:perimeter, or all. restore also writes what is missing, in remediate mode: first read the runbook secret-perimeter-lost, because readers outside approved VPCs are refused then."
}

variable "trail_bucket" {
  type        = string
  default     = null
  description = "Bucket of your CloudTrail trail. Once a day its log files are compared with the events that came, and what never came is judged, and published. Empty: no comparison, and no cost."
}

variable "trail_folder" {
  type        = string
  default     = null
  description = "Folder of TrailBucket in which the account's folder lies: AWSLogs, for an organization's trail AWSLogs/<organization's id>, with the trail's own prefix before it."
}

variable "alert_email" {
  type        = string
  default     = null
  description = "Subscribed to the findings topic; AWS asks the owner to confirm. Empty for none."
}

variable "slack_webhook_parameter" {
  type        = string
  default     = null
  description = "Name of the SSM SecureString that holds a Slack webhook URL, or a bot token (xoxb-, scope chat:write) with SlackChannel. A second URL after it is of the channel for high findings and alarms. Empty for no Slack."
}

variable "slack_channel" {
  type        = string
  default     = null
  description = "Id of the channel that a bot token posts to; the bot must be a member. After a comma, a second channel for high findings and alarms. Empty for a webhook."
}

variable "slack_least_severity" {
  type        = string
  default     = null
  description = "Least severity of findings that Slack gets. Alarms come in any case."
}

variable "slack_accounts" {
  type        = list(string)
  default     = null
  description = "Accounts whose findings Slack gets. Empty for all."
}

variable "chat_channel" {
  type        = string
  default     = null
  description = "Channel of Slack or Microsoft Teams in which Amazon Q Developer in chat applications shows findings and alarms, without a webhook or token. Slack's workspace or Teams' team must be authorized there. Empty for none."
}

variable "runbook_address" {
  type        = string
  default     = null
  description = "Where your people read the folder docs/runbooks, such as its page on your git host; findings then link their runbook there. Empty: its path in the repository."
}

variable "deploying_roles" {
  type        = list(string)
  default     = null
  description = "Who may change this stack's own resources without a finding. Empty for whoever does so by an operation of this stack; with any, nobody else, be it through CloudFormation or not."
}

variable "log_level" {
  type        = string
  default     = null
  description = "Least severe level the functions log."
}

variable "log_retention_days" {
  type        = number
  default     = null
  description = "Days that the functions' logs are kept."
}

variable "show_dashboard" {
  type        = bool
  default     = null
  description = "Make the CloudWatch dashboard. An account's first three are free, each further one is $3 a month."
}

variable "encryption_key_arn" {
  type        = string
  default     = null
  description = "A KMS key of yours that encrypts the topics, queues, table and logs, for $1 a month and its requests. docs/security.md has the key policy. Empty for keys of AWS that cost nothing."
}

variable "permissions_boundary_arn" {
  type        = string
  default     = null
  description = "Permissions boundary of every role of the stack, where your account demands one."
}

variable "function_subnets" {
  type        = list(string)
  default     = null
  description = "Subnets to place the functions in, all but notify_slack and heartbeat, which need the internet. Hubs are then not searched. docs/security.md lists the endpoints that the VPC must have. Empty for no VPC."
}

variable "function_security_groups" {
  type        = list(string)
  default     = null
  description = "Security groups of the functions in FunctionSubnets; they must allow HTTPS out."
}
