// Shows the merged API description of all services.
SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: "list",
  filter: true,
  // The default asks a server of a third party to validate the document.
  validatorUrl: null,
});
