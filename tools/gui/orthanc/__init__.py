"""Requests in words for an Orthanc server, as workflows."""
