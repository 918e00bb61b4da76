# The approved endpoint policies as data, filled in for one account: what an endpoint of yours has from the start, the
# guard never needs to restore. Asks AWS nothing.

variable "account_id" {
  type        = string
  description = "Account of the endpoints, such as data.aws_caller_identity.current.account_id."

  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account id has 12 digits."
  }
}

variable "region" {
  type        = string
  description = "Region of the endpoints."
}

variable "partition" {
  type        = string
  default     = "aws"
  description = "Partition of the Region: aws, aws-cn, aws-us-gov, aws-eusc."
}

variable "organization_id" {
  type        = string
  default     = ""
  description = "Id of your organization, as in approved.json. Policies that need it are left out without it."
}

variable "folder" {
  type        = string
  default     = null
  description = "Folder of the policies. By default that of this repository."
}

locals {
  folder = coalesce(var.folder, "${path.module}/../../layers/approved_policies/endpoint_policies")

  texts = {
    for name in fileset(local.folder, "*.json") : trimsuffix(name, ".json") => file("${local.folder}/${name}")
  }

  usable = {
    for name, text in local.texts : name => text
    if var.organization_id != "" || !strcontains(text, "$${OrgId}")
  }
}

output "endpoint_policies" {
  description = "The policies by name, as JSON for the `policy` of an aws_vpc_endpoint."
  value = {
    for name, text in local.usable : name => replace(
      replace(
        replace(
          replace(text, "$${AccountId}", var.account_id),
          "$${Region}", var.region
        ),
        "$${Partition}", var.partition
      ),
      "$${OrgId}", var.organization_id
    )
  }
}
