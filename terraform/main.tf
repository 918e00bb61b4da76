# Deploys the packaged template as the CloudFormation stack that it is.

data "aws_s3_bucket" "artifacts" {
  bucket = var.bucket
}

# A template of this size has to come from S3. Its name changes with its content, and so the stack is updated.
resource "aws_s3_object" "template" {
  bucket = data.aws_s3_bucket.artifacts.id
  key    = "vpce-guard/${filesha256(var.template)}.yaml"
  source = var.template
}

resource "aws_cloudformation_stack" "guard" {
  name         = var.name
  template_url = "https://${data.aws_s3_bucket.artifacts.bucket_regional_domain_name}/${aws_s3_object.template.key}"
  parameters   = local.parameters
  tags         = var.tags

  # Roles without names of their own, and the SAM transform.
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
}
