"""The only room that joins the stages."""
