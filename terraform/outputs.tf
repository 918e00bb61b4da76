output "findings_topic_arn" {
  description = "Subscribe to this topic to receive findings."
  value       = aws_cloudformation_stack.guard.outputs["FindingsTopicArn"]
}

output "alarms_topic_arn" {
  description = "Subscribe to this topic to receive alarms about the guard itself."
  value       = aws_cloudformation_stack.guard.outputs["AlarmsTopicArn"]
}

output "mode_parameter_name" {
  description = "SSM parameter that holds the mode in force."
  value       = aws_cloudformation_stack.guard.outputs["ModeParameterName"]
}

output "command_to_remediate" {
  description = "Lets the guard write, within a minute and without a deployment."
  value       = aws_cloudformation_stack.guard.outputs["CommandToRemediate"]
}

output "command_to_observe" {
  description = "Stops all writes of the guard, within a minute and without a deployment."
  value       = aws_cloudformation_stack.guard.outputs["CommandToObserve"]
}

output "dashboard_url" {
  description = "The guard's CloudWatch dashboard."
  value       = lookup(aws_cloudformation_stack.guard.outputs, "DashboardUrl", null)
}

output "state_table_name" {
  description = "Counts of findings and change budgets."
  value       = aws_cloudformation_stack.guard.outputs["StateTableName"]
}

output "vpc_queue_url" {
  description = "Queue of work on VPCs and their endpoints."
  value       = aws_cloudformation_stack.guard.outputs["VpcQueueUrl"]
}

output "vpc_dead_letter_queue_url" {
  description = "What was given up of the work on VPCs and their endpoints."
  value       = aws_cloudformation_stack.guard.outputs["VpcDeadLetterQueueUrl"]
}

output "policy_queue_url" {
  description = "Queue of work on endpoint policies."
  value       = aws_cloudformation_stack.guard.outputs["PolicyQueueUrl"]
}

output "policy_dead_letter_queue_url" {
  description = "What was given up of the work on endpoint policies."
  value       = aws_cloudformation_stack.guard.outputs["PolicyDeadLetterQueueUrl"]
}

output "secret_policy_queue_url" {
  description = "Queue of work on secrets' policies."
  value       = aws_cloudformation_stack.guard.outputs["SecretPolicyQueueUrl"]
}

output "secret_policy_dead_letter_queue_url" {
  description = "What was given up of the work on secrets' policies."
  value       = aws_cloudformation_stack.guard.outputs["SecretPolicyDeadLetterQueueUrl"]
}

output "detection_queue_url" {
  description = "Queue of Secrets Manager records to judge."
  value       = aws_cloudformation_stack.guard.outputs["DetectionQueueUrl"]
}

output "detection_dead_letter_queue_url" {
  description = "What was given up of the Secrets Manager records to judge."
  value       = aws_cloudformation_stack.guard.outputs["DetectionDeadLetterQueueUrl"]
}

output "notify_queue_url" {
  description = "Queue of messages to Slack."
  value       = lookup(aws_cloudformation_stack.guard.outputs, "NotifyQueueUrl", null)
}

output "notify_urgent_queue_url" {
  description = "Queue of high findings and alarms to Slack."
  value       = lookup(aws_cloudformation_stack.guard.outputs, "NotifyUrgentQueueUrl", null)
}

output "notify_dead_letter_queue_url" {
  description = "What was given up of the messages to Slack."
  value       = lookup(aws_cloudformation_stack.guard.outputs, "NotifyDeadLetterQueueUrl", null)
}

output "rule_dead_letter_queue_url" {
  description = "What EventBridge could not deliver, and failed sweeps."
  value       = aws_cloudformation_stack.guard.outputs["RuleDeadLetterQueueUrl"]
}
