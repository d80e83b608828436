/** The ward's routes. */

import { Body, Controller, Get, HttpCode, Param, Post, UnauthorizedException } from "@nestjs/common";
import type { Admission } from "@hubward/server";
import { ownWard, patientsOf, signIn, staff } from "../ward.mjs";
import { Caller, RequirePolicy, type Staff } from "./require-policy.js";

@Controller()
export class WardController {
  @Post("sign-in")
  @HttpCode(200)
  async signIn(@Body() body: unknown): Promise<{ access_token: string }> {
    const token = await signIn(body);
    if (token === undefined) throw new UnauthorizedException({ error: "wrong name or password" });
    return { access_token: token };
  }

  @Get("me")
  @RequirePolicy(staff)
  me(@Caller() { principal }: Admission<Staff>): { name: string; roles: readonly string[] } {
    return { name: principal.subject, roles: principal.roles };
  }

  @Get("wards/:ward/patients")
  @RequirePolicy(ownWard, ({ params }) => params["ward"] ?? "")
  patients(@Param("ward") ward: string): { id: string; name: string }[] {
    return patientsOf(ward);
  }
}
