"""Pictures made anew from pixels; nothing here knows who sent one, or keeps any."""
