"""The stories: what each verb does, told in the terms of the rooms below. The one room that knows several others."""
