"""The records that EventBridge never brought, found in the trail's own files (find_missed)."""
