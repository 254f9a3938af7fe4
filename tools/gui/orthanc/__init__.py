"""Natural-language requests for an Orthanc server, planned as workflows."""
