"""Pictures of the splats: which photos a picture shows, the render engine, and final pictures of furniture and photo together."""
