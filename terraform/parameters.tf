locals {
  given = {
    Mode                   = var.mode
    Scope                  = var.scope
    GraceMinutes           = var.grace_minutes
    MaximumZones           = var.maximum_zones
    MonthlyBudget          = var.monthly_budget
    ApprovedPolicy         = var.approved_policy
    ApprovedAccounts       = var.approved_accounts == null ? null : join(",", var.approved_accounts)
    WatchForeignEndpoints  = var.watch_foreign_endpoints
    SecretPerimeter        = var.secret_perimeter
    TrailBucket            = var.trail_bucket
    TrailFolder            = var.trail_folder
    AlertEmail             = var.alert_email
    SlackWebhookParameter  = var.slack_webhook_parameter
    SlackChannel           = var.slack_channel
    SlackLeastSeverity     = var.slack_least_severity
    SlackAccounts          = var.slack_accounts == null ? null : join(",", var.slack_accounts)
    ChatChannel            = var.chat_channel
    RunbookAddress         = var.runbook_address
    DeployingRoles         = var.deploying_roles == null ? null : join(",", var.deploying_roles)
    LogLevel               = var.log_level
    LogRetentionDays       = var.log_retention_days
    ShowDashboard          = var.show_dashboard
    EncryptionKeyArn       = var.encryption_key_arn
    PermissionsBoundaryArn = var.permissions_boundary_arn
    FunctionSubnets        = var.function_subnets == null ? null : join(",", var.function_subnets)
    FunctionSecurityGroups = var.function_security_groups == null ? null : join(",", var.function_security_groups)
  }

  # CloudFormation takes texts: numbers and booleans become some, lists are joined above.
  parameters = { for name, value in local.given : name => tostring(value) if value != null }
}
